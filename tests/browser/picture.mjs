// Takes the README's picture of the page: LENETD=build/release/lenetd node tests/browser/picture.mjs docs/page.png
import { chromium } from 'playwright-core';
import { drawWithMouse } from './hand.mjs';
import { startDaemon } from './servers.mjs';

const daemon = await startDaemon(process.env.LENETD ?? 'build/release/lenetd', 8080);
const browser = await chromium.launch({
	executablePath: process.env.BROWSER ?? '/usr/bin/chromium',
	args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
const page = await browser.newPage({ viewport: { width: 1000, height: 640 }, deviceScaleFactor: 1.5, colorScheme: 'light' });
await page.goto(daemon.origin);
await drawWithMouse(page, 3, { size: .95 });
await page.locator('#digit', { hasText: '3' }).waitFor();
await page.waitForTimeout(500); // the bars have come to rest
await page.screenshot({ path: process.argv[2] });
await browser.close();
await daemon.stop();
