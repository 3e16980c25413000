// The page in a real browser, before the real daemon: LENETD=… BROWSER=… [SCREENSHOTS=…] node page.test.mjs [WORD…]
// runs the tests whose names contain one of the words, or all. Every test has a fresh context, and whatever it is about
// it also fails if a request leaves the origin or the console shows an error that it did not announce.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { tooFaint } from './contrast.mjs';
import { drawWithMouse, drawWithTouch } from './hand.mjs';
import { chooseNoisySeven } from './noise.mjs';
import { startDaemon, startProxy } from './servers.mjs';

const SEVEN_PNG = fileURLToPath(new URL('../data/7.png', import.meta.url));
const SHADED = fileURLToPath(new URL('../data/pictures/made/5-gradient-1.png', import.meta.url));
const MODELS = fileURLToPath(new URL('../../models/', import.meta.url));
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const FLAGS = [
	'--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
	'--disable-component-update', '--disable-sync',
];

const { LENETD, BROWSER, SCREENSHOTS } = process.env;
assert(LENETD && BROWSER, 'LENETD and BROWSER name the daemon and the browser');

const tests = [];
const test = (name, run, options = {}) => tests.push({ name, run, options });

// ---- What the page shows

// Once the last state of the drawing has its answer.
async function settled(page) {
	await page.waitForSelector('#result:not(.pending)');
	return {
		digit: await page.textContent('#digit'),
		words: await page.textContent('#words'),
		shares: await page.locator('#bars .share').allTextContents(),
		seen: await page.evaluate(() => {
			const { data } = document.getElementById('input').getContext('2d').getImageData(0, 0, 28, 28);
			return Array.from({ length: 784 }, (_, i) => data[i * 4]);
		}),
	};
}

async function expectDigit(page, digit) {
	const answer = await settled(page);
	assert.equal(answer.digit[0], String(digit), `the answer is "${answer.digit}" (${answer.words})`);
	assert.equal(answer.shares.filter(share => share.endsWith('%')).length, 10, 'ten probabilities');
	assert(answer.seen.some(ink => ink > 128), 'what the network sees is shown');
	return answer;
}

async function expectNothing(page) {
	const answer = await settled(page);
	assert.equal(answer.digit + answer.words + answer.shares.join(''), '');
	assert(answer.seen.every(ink => ink === 0), 'the input is gone, too');
	assert(await page.isVisible('#hint'));
}

const asked = page => page.requests.filter(url => url.includes('/predict')).length;

async function screenshot(page, name) {
	if (!SCREENSHOTS)
		return;
	await page.waitForTimeout(200); // until the bars stand still
	await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
}

// ---- Drawing

for (const [digit, where] of [[3, {}], [7, { size: .6, dx: -.15, dy: -.12 }], [0, { size: .75, dx: .1, dy: .08 }]]) {
	test(`a ${digit} by mouse`, async ({ page }) => {
		await drawWithMouse(page, digit, where);
		await expectDigit(page, digit);
		await screenshot(page, `mouse-${digit}`);
	});
}

for (const [digit, where] of [[3, { size: .7, dx: .12 }], [7, {}], [0, { size: .55, dx: -.2, dy: .18 }]]) {
	test(`a ${digit} by touch`, async ({ page }) => {
		await page.evaluate(() => {
			globalThis.kinds = new Set();
			addEventListener('pointermove', event => globalThis.kinds.add(event.pointerType));
		});
		await drawWithTouch(page, digit, where);
		await expectDigit(page, digit);
		assert.deepEqual(await page.evaluate(() => [...globalThis.kinds]), ['touch']);
		assert.equal(await page.evaluate(() => scrollY), 0, 'drawing does not scroll');
		assert(await page.evaluate(() => {
			const { width, clientWidth } = document.getElementById('drawing');
			return width === Math.round(clientWidth * devicePixelRatio);
		}), 'as many pixels as the screen has');
		await screenshot(page, `touch-${digit}`);
	}, PHONE);
}

for (const model of ['lab', '1998', '1998-distorted'])
	test(`a 3, a 7 and a 0 before models/${model}.bin`, async ({ page }) => {
		const other = await startDaemon(LENETD, 0, ['--model', `${MODELS}${model}.bin`]);
		try {
			page.origins.push(other.origin);
			for (const digit of [3, 7, 0]) {
				await page.goto(other.origin);
				await drawWithMouse(page, digit, { size: .8 });
				await expectDigit(page, digit);
				await screenshot(page, `${model}-${digit}`);
			}
		} finally {
			await page.goto('about:blank'); // or its connections keep the daemon waiting
			await other.stop();
		}
	});

test('the network sees the digit centred, with strokes like MNIST\'s', async ({ page }) => {
	await drawWithMouse(page, 0, { size: .9, dx: .05, dy: -.04 });
	const { seen } = await expectDigit(page, 0);
	const mass = seen.reduce((sum, ink) => sum + ink, 0);
	const centre = axis => seen.reduce((sum, ink, i) => sum + ink * axis(i), 0) / mass;
	assert(Math.abs(centre(i => i % 28) - 13.5) < 1.5 && Math.abs(centre(i => Math.floor(i / 28)) - 13.5) < 1.5);
	const row = seen.slice(14 * 28, 15 * 28); // cuts the 0 twice
	const width = row.reduce((sum, ink) => sum + ink, 0) / 255 / 2;
	assert(width > 1.5 && width < 4, `a stroke is ${width} pixels wide`);
});

test('a tap is a dot', async ({ page }) => {
	await page.click('#drawing', { position: { x: 60, y: 90 } });
	assert((await settled(page)).words, 'the server saw it');
	assert(await page.evaluate(() => {
		const context = document.getElementById('drawing').getContext('2d');
		return context.getImageData(60 * devicePixelRatio, 90 * devicePixelRatio, 1, 1).data[3] === 255;
	}), 'so does its painter');
});

test('nothing is asked of an empty pad', async ({ page }) => {
	await expectNothing(page);
	assert(await page.isDisabled('#undo') && await page.isDisabled('#clear'));
	await page.keyboard.press('Escape');
	await page.keyboard.press('Control+z');
	await expectNothing(page);
	assert.equal(asked(page), 0);
	await screenshot(page, 'empty');
});

test('undo and clear, by button and by key', async ({ page }) => {
	await drawWithMouse(page, 7);
	const first = await expectDigit(page, 7);
	await drawWithMouse(page, 0, { size: .5 });
	assert.notDeepEqual((await settled(page)).seen, first.seen);
	await page.click('#undo');
	assert.deepEqual(await expectDigit(page, 7), first, 'undo brings the very answer back');
	await page.keyboard.press('Control+z');
	await expectNothing(page);
	assert(await page.isDisabled('#undo') && await page.isDisabled('#clear'));

	await drawWithMouse(page, 3);
	await expectDigit(page, 3);
	const before = asked(page);
	await page.click('#clear');
	await expectNothing(page);
	assert.equal(asked(page), before, 'clearing asks nothing');
	await page.click('#undo');
	await expectDigit(page, 3);
	await page.keyboard.press('Escape');
	await expectNothing(page);
});

test('the keyboard reaches every button', async ({ page }) => {
	const focused = () => page.evaluate(() => document.activeElement.id);
	await page.keyboard.press('Tab');
	assert.equal(await focused(), 'open');
	await drawWithMouse(page, 7);
	await page.evaluate(() => document.activeElement.blur());
	const order = [];
	for (let i = 0; i < 3; i++) {
		await page.keyboard.press('Tab');
		order.push(await focused());
	}
	assert.deepEqual(order.sort(), ['clear', 'open', 'undo']);
});

test('the answer is read out once it has settled', async ({ page }) => {
	await drawWithMouse(page, 7);
	await expectDigit(page, 7);
	await page.waitForFunction(() => /^7, /.test(document.getElementById('spoken').textContent));
	assert.equal(await page.getAttribute('#spoken', 'aria-live'), 'polite');
});

// ---- Pictures from outside

async function choose(page, files) {
	const chooser = page.waitForEvent('filechooser');
	await page.click('#open');
	await (await chooser).setFiles(files);
	await page.waitForFunction(() =>
		document.getElementById('hint').hidden || document.getElementById('words').textContent);
}

test('a file is chosen', async ({ page }) => {
	await choose(page, SEVEN_PNG);
	await expectDigit(page, 7);
	await screenshot(page, 'file');
	await drawWithMouse(page, 3); // a new drawing, not one on top
	await expectDigit(page, 3);
	await page.click('#undo');
	await expectDigit(page, 7);
	await page.click('#clear');
	await choose(page, SEVEN_PNG); // the same once more
	await expectDigit(page, 7);
});

test('a picture that is no PNG becomes one', async ({ page }) => {
	const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="300"><path d="M40 60h110L90 250" ' +
		'fill="none" stroke="black" stroke-width="22" stroke-linecap="round"/></svg>';
	await choose(page, { name: '7.svg', mimeType: 'image/svg+xml', buffer: Buffer.from(svg) });
	await expectDigit(page, 7);
});

test('a file that is no picture is said to be none', async ({ page }) => {
	await drawWithMouse(page, 7);
	await expectDigit(page, 7);
	const before = asked(page);
	await choose(page, { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from('not a picture') });
	await page.waitForSelector('#words.problem');
	assert.match(await page.textContent('#words'), /cannot read/);
	assert.equal(await page.textContent('#digit'), '');
	assert.equal(asked(page), before);
});

test('a PNG too large for the server is made smaller', async ({ page }) => {
	assert(await chooseNoisySeven(page, 3800) > 2 ** 25, 'the server would refuse it');
	await page.waitForSelector('#hint', { state: 'hidden' });
	await expectDigit(page, 7);
	assert.equal(asked(page), 1);
});

test('a large picture has time to be sent, and an answer is not waited for for ever', async ({ page, expectError }) => {
	expectError(/ERR_FAILED|ERR_ABORTED/);
	await page.clock.install();
	await page.route('**/predict*', () => {});
	const sent = page.waitForRequest('**/predict*');
	await chooseNoisySeven(page, 1000);
	await sent;
	await page.clock.runFor(11000);
	assert.equal(await page.textContent('#words'), '');
	await page.clock.runFor(110000);
	await page.waitForSelector('#words.problem');
	assert.match(await page.textContent('#words'), /does not answer/);
	await page.unroute('**/predict*');
	await page.clock.runFor(5000);
	await page.waitForSelector('#words:not(.problem)');
});

test('a file is dropped', async ({ page }) => {
	const session = await page.context().newCDPSession(page);
	const { x, y } = await page.locator('#hint').boundingBox();
	const data = { items: [], files: [SEVEN_PNG], dragOperationsMask: 1 };
	for (const type of ['dragEnter', 'dragOver', 'drop'])
		await session.send('Input.dispatchDragEvent', { type, x: x + 50, y: y + 50, data });
	await page.waitForSelector('#hint', { state: 'hidden' });
	await expectDigit(page, 7);
	assert.equal(await page.locator('#pad.dropping').count(), 0);
});

test('a picture is pasted', async ({ page }) => {
	await page.evaluate(async base64 => {
		const bytes = Uint8Array.from(atob(base64), char => char.charCodeAt(0));
		const picture = new Blob([bytes], { type: 'image/png' });
		await navigator.clipboard.write([new ClipboardItem({ [picture.type]: picture })]);
	}, fs.readFileSync(SEVEN_PNG, 'base64'));
	await page.keyboard.press('Control+v');
	await page.waitForSelector('#hint', { state: 'hidden' });
	await expectDigit(page, 7);
}, { permissions: ['clipboard-read', 'clipboard-write'] });

// ---- The server, slow, busy or away

test('one request at a time, and the last state is asked', async ({ page }) => {
	let inFlight = 0, most = 0;
	await page.route('**/predict*', async route => {
		most = Math.max(most, ++inFlight);
		await new Promise(resolve => setTimeout(resolve, 40));
		const response = await route.fetch();
		inFlight--;
		await route.fulfill({ response });
	});
	await drawWithMouse(page, 0);
	const late = await expectDigit(page, 0);
	assert.equal(most, 1);
	await page.unroute('**/predict*');
	await page.click('#clear');
	await drawWithMouse(page, 0);
	assert.deepEqual(await expectDigit(page, 0), late);
});

test('an answer that comes after Clear is not shown', async ({ page }) => {
	let release;
	const held = new Promise(resolve => { release = resolve; });
	await page.route('**/predict*', async route => {
		const response = await route.fetch();
		await held;
		await route.fulfill({ response }).catch(() => {}); // the page may have given it up
	});
	const sent = page.waitForRequest('**/predict*');
	await drawWithMouse(page, 7);
	await sent;
	await page.click('#clear');
	release();
	await expectNothing(page);
	await drawWithMouse(page, 3);
	await expectDigit(page, 3);
});

// Answers once what the server would not say, then lets it speak.
async function answerOnce(page, answer) {
	let first = true;
	await page.route('**/predict*', route => {
		const now = first;
		first = false;
		return now ? route.fulfill(answer) : route.continue();
	});
}

test('a busy server is asked again after the time it names', async ({ page, expectError }) => {
	expectError(/503/);
	await answerOnce(page, { status: 503, headers: { 'Retry-After': '1' }, json: { error: 'full' } });
	await choose(page, SEVEN_PNG);
	await page.waitForSelector('#words.problem');
	assert.match(await page.textContent('#words'), /busy/);
	await expectDigit(page, 7);
	assert.equal(asked(page), 2);
});

test('a daemon that wants a key is asked again with one', async ({ page, expectError }) => {
	expectError(/401/);
	const answers = ['', 'a key-of-the-user'];
	page.on('dialog', dialog => dialog.accept(answers.shift()));
	const keys = [];
	await page.route('**/predict*', async route => {
		keys.push(route.request().headers()['x-api-key']);
		if (keys.at(-1) === 'akey-of-the-user')
			await route.continue();
		else
			await route.fulfill({ status: 401, json: { error: 'an API key is needed' } });
	});
	await choose(page, SEVEN_PNG);
	await page.waitForSelector('#words.problem');
	assert.equal((await settled(page)).words, 'an API key is needed');
	await page.click('#clear');
	await choose(page, SEVEN_PNG);
	await expectDigit(page, 7);
	assert.deepEqual(keys, [undefined, undefined, 'akey-of-the-user']);
});

test('who has no key is not asked for it again', async ({ page, expectError }) => {
	expectError(/401/);
	let dialogs = 0;
	page.on('dialog', dialog => {
		dialogs++;
		return dialog.dismiss();
	});
	await page.route('**/predict*', route => route.fulfill({ status: 401, json: { error: 'an API key is needed' } }));
	for (let i = 0; i < 2; i++) {
		await choose(page, SEVEN_PNG);
		await page.waitForSelector('#words.problem');
		assert.equal((await settled(page)).words, 'an API key is needed');
		await page.click('#clear');
	}
	assert.equal(dialogs, 1);
});

test('a proxy\'s 413 without JSON is put into words', async ({ page, expectError }) => {
	expectError(/413/);
	await answerOnce(page, { status: 413, contentType: 'text/html', body: '<h1>413</h1>' });
	await choose(page, SEVEN_PNG);
	await page.waitForSelector('#words.problem');
	assert.match(await page.textContent('#words'), /too large for the server/);
	await settled(page);
	assert.equal(asked(page), 1, 'and not asked again');
});

test('the server\'s own words are shown', async ({ page, expectError }) => {
	expectError(/400/);
	await answerOnce(page, { status: 400, json: { error: 'x', predictions: [{ digit: null, error: 'a damaged PNG' }] } });
	await choose(page, SEVEN_PNG);
	await page.waitForSelector('#words.problem');
	assert.equal((await settled(page)).words, 'a damaged PNG');
});

test('a refusal is no error, and the bars hint', async ({ page }) => {
	const probabilities = [0, .38, .02, 0, 0, 0, 0, .58, .02, 0];
	const refused = { digit: null, message: 'm.', confidence: .58, probabilities, input: Array(784).fill(200) };
	for (const [reason, words] of [['no digit', /not look like a digit/], ['several digits', /one digit/], ['too small', /small/],
		['too blurred', /blurred/], ['of a later version', /^m\.$/]]) {
		await answerOnce(page, { json: { model: 'm', predictions: [{ ...refused, reason }] } });
		await choose(page, SEVEN_PNG);
		await page.waitForFunction(pattern => new RegExp(pattern).test(document.getElementById('words').textContent), words.source);
		const { digit, shares, seen } = await settled(page);
		assert.deepEqual([digit, shares[7], seen[0]], ['', '58.0 %', 200], reason);
		assert.equal(await page.locator('#words.problem, #bars .best').count(), 0, reason);
		await page.unroute('**/predict*');
		await page.click('#clear');
		await expectNothing(page);
	}
	await answerOnce(page, { json: { model: 'm', predictions: [{ digit: null, reason: 'blank', message: 'm.' }] } });
	await choose(page, SEVEN_PNG);
	await page.waitForFunction(() => document.getElementById('words').textContent.startsWith('Nothing to read'));
	const { digit, shares, seen } = await settled(page);
	assert.deepEqual([digit, shares.join(''), seen[0]], ['', '', 0]);
	await screenshot(page, 'refused');
});

test('the daemon refuses a blank sheet, then reads a digit', async ({ page }) => {
	const sheet = await page.evaluate(() => {
		const canvas = Object.assign(document.createElement('canvas'), { width: 60, height: 60 });
		canvas.getContext('2d').fillRect(0, 0, 60, 60);
		return canvas.toDataURL().split(',')[1];
	});
	await page.setInputFiles('#file', { name: 'blank.png', mimeType: 'image/png', buffer: Buffer.from(sheet, 'base64') });
	await page.waitForFunction(() => document.getElementById('words').textContent);
	const { digit, words } = await settled(page);
	assert.equal(digit, '');
	assert.match(words, /Nothing to read/);
	await page.click('#clear');
	await choose(page, SEVEN_PNG);
	await expectDigit(page, 7);
});

// The steps that are shown: their names, which have pictures of some size, and words.
async function shownSteps(page) {
	await page.waitForFunction(() => document.querySelector('#result:not(.pending)') && document.querySelector('#steps li'));
	return page.$$eval('#steps li', async items => {
		const names = [];
		for (const item of items) {
			const image = item.querySelector('img');
			await image.decode();
			if (image.naturalWidth > 0 && image.clientWidth > 50 && item.querySelector('p').textContent.endsWith('.'))
				names.push(item.id.replace('step-', ''));
		}
		return names;
	});
}

test('how it was read is shown where it is asked for', async ({ page }) => {
	await drawWithMouse(page, 3);
	await expectDigit(page, 3);
	assert.equal(page.requests.filter(url => url.includes('explain=steps')).length, 0, 'nobody asked yet');
	await page.click('summary');
	assert.deepEqual(await shownSteps(page), ['picture', 'ink', 'box', 'input']);
	await expectDigit(page, 3);
	await screenshot(page, 'steps-drawn');
	await page.keyboard.press('Escape');
	assert.equal(await page.locator('#steps li').count(), 0, 'they go with the drawing');
	await choose(page, SEVEN_PNG);
	await expectDigit(page, 7);
	assert.deepEqual(await shownSteps(page), ['input'], 'it is in MNIST\'s form');
	await page.click('summary');
	await page.waitForFunction(() => !document.getElementById('how').open);
	const before = page.requests.length;
	await page.click('#clear');
	await drawWithMouse(page, 7);
	await expectDigit(page, 7);
	assert(page.requests.slice(before).every(url => !url.includes('explain=steps')), 'closed, they cost nothing');
});

test('how a photo and a blank sheet were read', async ({ page }) => {
	await page.click('summary');
	await choose(page, SHADED);
	const names = await shownSteps(page);
	for (const name of ['picture', 'light', 'flat', 'ink', 'box', 'input'])
		assert(names.includes(name), `${name} of ${names}`);
	await screenshot(page, 'steps-photo');
	await page.click('#clear');
	const sheet = await page.evaluate(() => {
		const canvas = Object.assign(document.createElement('canvas'), { width: 60, height: 60 });
		canvas.getContext('2d').fillRect(0, 0, 60, 60);
		return canvas.toDataURL().split(',')[1];
	});
	await page.setInputFiles('#file', { name: 'blank.png', mimeType: 'image/png', buffer: Buffer.from(sheet, 'base64') });
	assert.deepEqual(await shownSteps(page), ['picture']);
	assert.match((await settled(page)).words, /Nothing to read/);
});

test('doubt is worded as doubt, and nothing moves', async ({ page }) => {
	const places = () => page.evaluate(() => ['drawing', 'digit', 'input', 'bars', 'curl'].map(id => {
		const { x, y, width, height } = document.getElementById(id).getBoundingClientRect();
		return [id, x, y, width, height];
	}));
	const before = await places();
	const probabilities = [0, .38, .02, 0, 0, 0, 0, .58, .02, 0];
	const predictions = [{ digit: 7, confidence: .58, probabilities, input: Array(784).fill(200) }];
	await answerOnce(page, { json: { model: 'm', predictions } });
	await choose(page, SEVEN_PNG);
	assert.equal((await settled(page)).words, '7, perhaps 1');
	assert.deepEqual(await places(), before);
	await screenshot(page, 'doubt');
});

test('the daemon goes and comes back', async ({ page, daemon, expectError }) => {
	expectError(/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/);
	await daemon.stop();
	try {
		await drawWithMouse(page, 3);
		await page.waitForSelector('#words.problem');
		assert.match(await page.textContent('#words'), /does not answer/);
		await screenshot(page, 'away');
	} finally {
		Object.assign(daemon, await startDaemon(LENETD, daemon.port));
	}
	await expectDigit(page, 3);
});

test('behind a path prefix, where a PNG arrives as it is', async ({ page, daemon }) => {
	const proxy = await startProxy(daemon.origin, '/some/where/');
	try {
		page.origins.push(proxy.origin);
		await page.goto(`${proxy.origin}/some/where/`);
		await choose(page, SEVEN_PNG);
		await expectDigit(page, 7);
		assert(proxy.bodies.at(-1).equals(fs.readFileSync(SEVEN_PNG)));
		await drawWithMouse(page, 3);
		await expectDigit(page, 3);
		assert.equal(await page.textContent('#curl'), `curl -F img=@digit.png ${proxy.origin}/some/where/predict`);
		assert.deepEqual(proxy.strays.filter(url => url !== '/favicon.ico'), []);
	} finally {
		await proxy.stop();
	}
});

for (const colorScheme of ['light', 'dark'])
	for (const [name, viewport] of [['phone', { width: 320, height: 640 }], ['desktop', { width: 1200, height: 760 }]])
		test(`fits a ${name}, ${colorScheme}`, async ({ page }) => {
			await drawWithMouse(page, 3, { size: .9 });
			await expectDigit(page, 3);
			assert(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'no scrolling sideways');
			assert(await page.evaluate(() => [...document.querySelectorAll('.share')].every(
				share => share.scrollWidth <= share.clientWidth)), 'every share has its room');
			await screenshot(page, `${colorScheme}-${name}`);
		}, { colorScheme, viewport });

for (const colorScheme of ['light', 'dark'])
	test(`enough contrast, ${colorScheme}`, async ({ page, expectError }) => {
		const expect = async (...pairs) => assert.deepEqual(await tooFaint(page, pairs), []);
		const probabilities = [0, .38, .02, 0, 0, 0, 0, .58, .02, 0];
		await expect(['#hint', '#pad', 4.5], ['#open', '#open', 4.5]);
		await answerOnce(page, { json: { model: 'm', predictions: [{ digit: 7, confidence: .58, probabilities, input: Array(784).fill(200) }] } });
		await choose(page, SEVEN_PNG);
		await settled(page);
		await expect(['#digit', 'html', 3], ['#digit .second', 'html', 3], ['#words', 'html', 4.5], ['#by', 'html', 4.5],
			['figcaption', 'html', 4.5], ['#bars li', 'html', 4.5], ['#bars .best', 'html', 4.5], ['footer', 'html', 4.5], ['code', 'code', 4.5],
			['#bars .fill', '#bars .track', 3, 'backgroundColor'], ['#bars .best .fill', '#bars .track', 3, 'backgroundColor']);
		await screenshot(page, `doubt-${colorScheme}`);
		await page.click('#clear');
		await page.unroute('**/predict*');
		expectError(/500/);
		await answerOnce(page, { status: 500, json: { error: 'broken' } });
		await choose(page, SEVEN_PNG);
		await page.waitForSelector('#words.problem');
		await expect(['#words.problem', 'html', 4.5]);
	}, { colorScheme });

test('the policy allows nothing from elsewhere', async ({ page, daemon }) => {
	const response = await page.goto(daemon.origin);
	const policy = response.headers()['content-security-policy'];
	assert.match(policy, /default-src 'none'/);
	assert.doesNotMatch(policy, /unsafe|\*|http/);
});

// ---- Running them

const browser = await chromium.launch({ executablePath: BROWSER, args: FLAGS });
const daemon = await startDaemon(LENETD);
if (SCREENSHOTS)
	fs.mkdirSync(SCREENSHOTS, { recursive: true });

async function run({ run, options }) {
	const context = await browser.newContext(options);
	const complaints = [], expected = [/willReadFrequently/]; // the advice is about settled(), not about the page
	try {
		const page = Object.assign(await context.newPage(), { requests: [], origins: [daemon.origin] });
		page.on('request', request => page.requests.push(request.url()));
		page.on('pageerror', error => complaints.push(`uncaught: ${error.message}`));
		page.on('console', message => {
			if (['error', 'warning'].includes(message.type()))
				complaints.push(`${message.type()}: ${message.text()}`);
		});
		page.setDefaultTimeout(30000);
		await page.goto(daemon.origin);
		await run({ page, daemon, expectError: pattern => expected.push(pattern) });
		const abroad = url => !/^(blob|data):/.test(url) && !page.origins.includes(new URL(url).origin);
		assert.deepEqual(page.requests.filter(abroad), [], 'no request leaves the origin');
		assert.deepEqual(complaints.filter(text => !expected.some(pattern => pattern.test(text))), []);
	} finally {
		await context.close();
	}
}

let passed = 0, failed = 0;
process.on('unhandledRejection', error => { // in a route's handler, say, once its test is over
	failed++;
	console.log(`FAIL out of turn\n${error.stack}`);
});
const words = process.argv.slice(2);
for (const each of tests.filter(({ name }) => !words.length || words.some(word => name.includes(word)))) {
	try {
		await run(each);
		passed++;
		console.log(`ok   ${each.name}`);
	} catch (error) {
		failed++;
		console.log(`FAIL ${each.name}\n${error.stack}`);
	}
}
await browser.close();
try {
	await daemon.stop();
} catch (error) {
	failed++;
	console.log(`FAIL the daemon's end\n${error.message}`);
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed || !passed ? 1 : 0;
