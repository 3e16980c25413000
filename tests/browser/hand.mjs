// A hand: digits as a person draws them, with a wobble, through the browser's own mouse and touch input.

// Through these points, on a pad of 1 × 1; each inner list is one stroke.
const SHAPES = {
	0: [[[.52, .16], [.36, .22], [.28, .45], [.33, .72], [.5, .84], [.67, .73], [.72, .46], [.64, .23], [.5, .17]]],
	3: [[[.3, .25], [.44, .16], [.6, .2], [.66, .33], [.57, .44], [.44, .48], [.6, .52], [.7, .66], [.62, .8], [.45, .85],
		[.28, .77]]],
	7: [[[.27, .24], [.45, .225], [.7, .21], [.6, .42], [.51, .63], [.46, .84]]],
};

// Catmull and Rom's curve through the points, `steps` a piece.
function smooth(points, steps) {
	const curve = [points[0]];
	for (let i = 0; i + 1 < points.length; i++) {
		const [a, b, c, d] = [points[i - 1] ?? points[i], points[i], points[i + 1], points[i + 2] ?? points[i + 1]];
		for (let step = 1; step <= steps; step++) {
			const t = step / steps;
			curve.push([0, 1].map(k => b[k] + t / 2 * (c[k] - a[k] + t * (2 * a[k] - 5 * b[k] + 4 * c[k] - d[k] +
				t * (3 * (b[k] - c[k]) + d[k] - a[k])))));
		}
	}
	return curve;
}

// The strokes of a digit in the page's pixels. size: 1 is most of the pad; dx, dy: shares of the pad off its centre.
// The wobble is the same each time.
async function strokesOf(page, digit, { size = 1, dx = 0, dy = 0 } = {}) {
	const box = await page.locator('#drawing').boundingBox();
	return SHAPES[digit].map(points => smooth(points, 5).map(([x, y], i) => [
		box.x + box.width * (.5 + dx + size * (x - .5 + .008 * Math.sin(i * .7))),
		box.y + box.height * (.5 + dy + size * (y - .5 + .008 * Math.cos(i * .9))),
	]));
}

export async function drawWithMouse(page, digit, where) {
	for (const [[x, y], ...rest] of await strokesOf(page, digit, where)) {
		await page.mouse.move(x, y);
		await page.mouse.down();
		for (const point of rest)
			await page.mouse.move(...point);
		await page.mouse.up();
	}
}

export async function drawWithTouch(page, digit, where) {
	const session = await page.context().newCDPSession(page);
	const send = (type, ...points) =>
		session.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y]) => ({ x, y })) });
	for (const [start, ...rest] of await strokesOf(page, digit, where)) {
		await send('touchStart', start);
		for (const point of rest)
			await send('touchMove', point);
		await send('touchEnd');
	}
	await session.detach();
}
