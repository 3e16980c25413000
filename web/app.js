// The page: a pad to draw a digit on, and the network's answer while the user draws.
//
// A sheet is the content of the pad: strokes, or a picture that the user opened. Only the stroke being drawn changes; a
// sheet does not change otherwise, so Undo's history is a list of sheets. At most one request is in flight. If the sheet has
// changed when the answer arrives, the current sheet is sent next. The answer to a sheet that has been undone, cleared or
// replaced is dropped. Positions are in units of the picture that is sent, SIDE × SIDE.

const SIDE = 280;
const PEN = 22; // 2 to 3 of MNIST's pixels for a digit of usual size, after the server has scaled it to 20×20
const MAX_PICTURE_SIDE = 1000; // of a picture that is sent: far more than the 28×28 pixels that the network sees
const MAX_PICTURE_BYTES = 2 ** 20; // of a PNG that is sent as it is
const TIMEOUT_MS = 10000; // of an answer
const SLOWEST_UPLOAD = 50; // bytes a millisecond

const find = id => document.getElementById(id);
const make = (tag, fields) => Object.assign(document.createElement(tag), fields);
const pad = find('pad'), drawing = find('drawing'), result = find('result'), how = find('how');

// ---- The sheets

const EMPTY = { strokes: [], picture: null };
let sheets = [EMPTY];
let version = 0; // counts every change
let replaced = 0; // counts the changes that make the answers to earlier sheets wrong

const sheet = () => sheets.at(-1);
const isEmpty = () => !sheet().strokes.length && !sheet().picture;

function changed({ replaces }) {
	version++;
	if (replaces) {
		replaced++;
		request?.abort();
		showNothing();
	}
	result.classList.toggle('pending', !isEmpty());
	find('undo').disabled = sheets.length < 2;
	find('clear').disabled = isEmpty();
	find('hint').hidden = !isEmpty();
	paintSoon();
	keepAsking();
}

function put(next) {
	const replaces = !isEmpty() && (!next.strokes.length || !!sheet().picture);
	stroke = null;
	sheets = [...sheets.slice(-99), next];
	changed({ replaces });
}

function undo() {
	if (sheets.length < 2)
		return;
	stroke = null;
	sheets = sheets.slice(0, -1);
	changed({ replaces: true });
}

function clear() {
	if (!isEmpty())
		put(EMPTY);
}

// ---- Drawing

let stroke = null; // the points of the stroke being drawn
let pointer = null; // the id of the pointer that draws it

function pointOf(event) {
	const box = drawing.getBoundingClientRect();
	return [(event.clientX - box.left) / box.width * SIDE, (event.clientY - box.top) / box.height * SIDE];
}

drawing.addEventListener('pointerdown', event => {
	if (stroke || event.button !== 0)
		return;
	event.preventDefault();
	drawing.setPointerCapture(event.pointerId);
	pointer = event.pointerId;
	const points = [pointOf(event)];
	put({ strokes: [...sheet().strokes, points], picture: null });
	stroke = points;
});

drawing.addEventListener('pointermove', event => {
	if (!stroke || event.pointerId !== pointer)
		return;
	const events = event.getCoalescedEvents?.() ?? [];
	for (const each of events.length ? events : [event])
		stroke.push(pointOf(each));
	changed({ replaces: false });
});

for (const type of ['pointerup', 'pointercancel'])
	drawing.addEventListener(type, event => {
		if (event.pointerId === pointer)
			stroke = null;
	});

// Draws a curve through the midpoints: fast movements give few points, and straight lines between them would show corners.
function trace(context, points) {
	const [first, ...rest] = points;
	let [x, y] = first;
	context.beginPath();
	context.moveTo(x, y);
	for (const [nextX, nextY] of rest) {
		context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
		[x, y] = [nextX, nextY];
	}
	context.lineTo(x + 0.01, y); // for a tap to draw a dot: a line of no length is not drawn
	context.stroke();
}

// Paints the sheet onto a square of `side` pixels.
function paint(context, side, colour) {
	const { strokes, picture } = sheet();
	context.save();
	context.scale(side / SIDE, side / SIDE);
	if (picture) {
		const { naturalWidth: width, naturalHeight: height } = picture.image;
		const scale = SIDE / Math.max(width, height);
		context.imageSmoothingEnabled = scale < 2;
		context.drawImage(picture.image, (SIDE - width * scale) / 2, (SIDE - height * scale) / 2,
			width * scale, height * scale);
	}
	context.lineWidth = PEN;
	context.lineCap = context.lineJoin = 'round';
	context.strokeStyle = colour;
	for (const points of strokes)
		trace(context, points);
	context.restore();
}

let painting = false;

function paintSoon() {
	if (painting)
		return;
	painting = true;
	requestAnimationFrame(() => {
		painting = false;
		const side = Math.max(1, Math.round(drawing.clientWidth * devicePixelRatio));
		if (drawing.width !== side)
			drawing.width = drawing.height = side;
		const context = drawing.getContext('2d');
		context.clearRect(0, 0, side, side);
		paint(context, side, getComputedStyle(drawing).color);
	});
}

new ResizeObserver(paintSoon).observe(drawing);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paintSoon);

// ---- Pictures from outside

const toPng = canvas => new Promise((resolve, reject) =>
	canvas.toBlob(blob => blob ? resolve(blob) : reject(new Error('The browser cannot write a PNG.')), 'image/png'));

async function decode(file) {
	const image = new Image();
	image.src = URL.createObjectURL(file);
	try {
		await image.decode();
	} finally {
		URL.revokeObjectURL(image.src);
	}
	if (!image.naturalWidth || !image.naturalHeight)
		throw new Error('no size');
	return image;
}

// Returns a small PNG as it is, and any other picture converted to a small PNG.
async function pngOf(file, image) {
	const { naturalWidth: width, naturalHeight: height } = image;
	const scale = Math.min(1, MAX_PICTURE_SIDE / Math.max(width, height));
	if (scale === 1 && file.size <= MAX_PICTURE_BYTES && await file.slice(1, 4).text() === 'PNG')
		return new Blob([await file.arrayBuffer()]); // a copy, since the file may be removed
	const canvas = make('canvas', {
		width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)),
	});
	const context = canvas.getContext('2d');
	context.imageSmoothingQuality = 'high';
	context.drawImage(image, 0, 0, canvas.width, canvas.height);
	return toPng(canvas);
}

async function take(file) {
	const before = version;
	try {
		const image = await decode(file);
		const png = await pngOf(file, image);
		if (version === before) // otherwise the user has changed the sheet
			put({ strokes: [], picture: { image, png } });
	} catch {
		clear();
		showProblem('This browser cannot read that file as a picture. Convert it to PNG or JPEG.');
	}
}

find('open').addEventListener('click', () => find('file').click());
find('file').addEventListener('change', event => {
	const [file] = event.target.files;
	if (file)
		take(file);
	event.target.value = ''; // the same file may be chosen again
});

addEventListener('paste', event => {
	const [file] = event.clipboardData.files;
	if (file)
		take(file);
});

addEventListener('dragover', event => {
	event.preventDefault();
	pad.classList.add('dropping');
});
addEventListener('dragleave', event => {
	if (!event.relatedTarget)
		pad.classList.remove('dropping');
});
addEventListener('drop', event => {
	event.preventDefault();
	pad.classList.remove('dropping');
	const [file] = event.dataTransfer.files;
	if (file)
		take(file);
});

// ---- Asking

let asking = false;
let answered = 0; // the latest version that needs no request
let request = null; // the AbortController of the request in flight

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

// Returns the sheet as a PNG.
function photograph() {
	if (sheet().picture)
		return sheet().picture.png;
	const canvas = make('canvas', { width: SIDE, height: SIDE });
	const context = canvas.getContext('2d', { alpha: false });
	context.fillStyle = '#fff';
	context.fillRect(0, 0, SIDE, SIDE);
	paint(context, SIDE, '#000');
	return toPng(canvas);
}

// Sends requests until the latest version has its answer. Only one such loop runs.
async function keepAsking() {
	if (asking)
		return;
	asking = true;
	try {
		for (let failures = 0; answered !== version;) {
			const asked = { version, replaced };
			const answer = isEmpty() ? null : await ask(await photograph(), failures);
			if (asked.replaced !== replaced)
				continue;
			if (answer)
				show(answer);
			if (answer?.retry_ms) {
				failures++;
				await pause(answer.retry_ms);
			} else {
				failures = 0;
				answered = asked.version;
			}
		}
	} finally {
		asking = false;
		result.classList.remove('pending');
	}
}

let key = ''; // the API key, if the daemon requires one; kept until the page is closed
let mayAskForKey = true;

// Returns whether the user has given a key.
function askForKey() {
	stroke = null; // the dialogue hides its pointerup
	const given = mayAskForKey ? prompt('The server requires an API key:', key) : null;
	mayAskForKey = given !== null;
	key = (given ?? '').replace(/[^\w.~+/=-]/g, '');
	return key !== '';
}

// Sends a PNG. Returns the prediction, a digit or a refusal, and its model; or a problem and, if a retry may help, the time until then.
async function ask(png, failures) {
	const backoff_ms = Math.min(500 * 2 ** failures, 4000);
	const stop = new AbortController();
	const timer = setTimeout(() => stop.abort(), TIMEOUT_MS + png.size / SLOWEST_UPLOAD);
	request = stop;
	let response, body;
	try {
		response = await fetch(`predict?explain=${how.open ? 'steps' : '1'}`, {
			method: 'POST', headers: { 'Content-Type': 'image/png', ...key && { 'X-API-Key': key } }, body: png, signal: stop.signal,
		});
		body = await response.json();
	} catch (error) {
		if (!(error instanceof SyntaxError))
			return { problem: 'The server does not answer. Trying again…', retry_ms: backoff_ms };
	} finally {
		clearTimeout(timer);
		request = null;
	}
	const prediction = body?.predictions?.[0];
	if (response.ok && (Number.isInteger(prediction?.digit) || prediction?.reason))
		return { prediction, model: body.model };
	if (response.status === 401 && askForKey())
		return { problem: 'Trying with this key…', retry_ms: 1 };
	if (response.status === 503) {
		const after_s = Number(response.headers.get('Retry-After')) || 1;
		return { problem: 'The server is busy. Trying again…', retry_ms: Math.min(after_s, 30) * 1000 };
	}
	if (response.status === 502 || response.status === 504)
		return { problem: 'The server does not answer. Trying again…', retry_ms: backoff_ms };
	return {
		problem: prediction?.error ?? body?.error ??
			(response.status === 413 ? 'This picture is too large for the server.' :
				`The server answered with status ${response.status}.`),
	};
}

// ---- The answer

const bars = Array.from({ length: 10 }, (_, digit) => {
	const row = make('li'), track = make('span', { className: 'track' });
	const fill = make('span', { className: 'fill' }), share = make('span', { className: 'share' });
	track.append(fill);
	row.append(make('span', { textContent: digit }), track, share);
	find('bars').append(row);
	return { row, fill, share };
});

function percent(p) {
	if (p >= 0.9995)
		return '>99.9 %';
	return p < 0.0005 ? '0 %' : `${(p * 100).toFixed(1)} %`;
}

// Shows words at once. Screen readers get them after a pause, so they do not read every answer while the user draws.
let speaking;
function say(words, aloud = words) {
	find('words').textContent = words;
	clearTimeout(speaking);
	speaking = setTimeout(() => { find('spoken').textContent = aloud; }, 600);
}

function showBars(probabilities, best) {
	for (const [digit, { row, fill, share }] of bars.entries()) {
		row.classList.toggle('best', digit === best);
		fill.style.transform = `scaleX(${probabilities?.[digit] ?? 0})`;
		share.textContent = probabilities ? percent(probabilities[digit]) : '';
	}
}

// input: 784 bytes, light ink on a dark ground; null: an empty frame.
function showInput(input) {
	const pixels = new ImageData(28, 28);
	for (const [i, ink] of input?.entries() ?? [])
		pixels.data.set([ink, ink, ink, 255], i * 4);
	find('input').getContext('2d').putImageData(pixels, 0, 0);
}

function showDigit(digit, second) {
	find('digit').textContent = digit;
	find('digit').classList.toggle('doubtful', second !== null);
	if (second !== null)
		find('digit').append(make('span', { className: 'second', textContent: `${second}?` }));
}

// steps: of how the picture was read, each a PNG in base64 and a sentence about it; empty unless they are asked for.
function showSteps(steps) {
	find('steps').replaceChildren(...steps.map(({ name, about, png }) => {
		const step = make('li', { id: `step-${name}` });
		step.append(make('img', { src: `data:image/png;base64,${png}`, alt: '' }), make('p', { textContent: about }));
		return step;
	}));
}

function showNothing() {
	showDigit('', null);
	showBars(null, null);
	showInput(null);
	showSteps([]);
	find('words').classList.remove('problem');
	find('by').textContent = '';
	say('');
}

function showProblem(problem) {
	showNothing();
	find('words').classList.add('problem');
	say(problem);
}

const REFUSALS = {
	'blank': 'Nothing to read here yet.',
	'no digit': 'This does not look like a digit.',
	'several digits': 'More than one digit? One at a time, please.',
	'too small': 'Too small to read. Try it larger.',
	'too blurred': 'Too blurred to read.',
};

// The picture shows no digit, which is not an error. The bars hint at what was likeliest, if there was anything.
function showRefusal({ reason, message, probabilities, input, steps }) {
	showNothing();
	showSteps(steps ?? []);
	showBars(probabilities ?? null, null);
	showInput(input ?? null);
	say(REFUSALS[reason] ?? message);
}

function show({ problem, prediction, model }) {
	if (problem)
		return showProblem(problem);
	if (prediction.reason)
		return showRefusal(prediction);
	const { digit, confidence, probabilities, input, steps } = prediction;
	const second = probabilities.reduce((best, p, i) => i !== digit && p > (probabilities[best] ?? -1) ? i : best, null);
	const doubtful = confidence < 0.6 || probabilities[second] > 0.25;
	showDigit(digit, doubtful ? second : null);
	showBars(probabilities, digit);
	showInput(input);
	showSteps(steps ?? []);
	find('words').classList.remove('problem');
	if (doubtful)
		say(`${digit}, perhaps ${second}`);
	else
		say(`Confidence ${percent(confidence)}`, `${digit}, confidence ${percent(confidence)}`);
	find('by').textContent = `Model ${model}`;
}

// Steps are asked for only while they are seen, since they make an answer a hundred times as long.
how.addEventListener('toggle', () => {
	showSteps([]);
	if (how.open && !isEmpty())
		changed({ replaces: false });
});

// ---- Buttons, keys, the command line

find('undo').addEventListener('click', undo);
find('clear').addEventListener('click', clear);

addEventListener('keydown', event => {
	if (event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey)
		undo();
	else if (event.key === 'Escape')
		clear();
	else
		return;
	event.preventDefault();
});

const url = new URL('predict', document.baseURI).href;
find('curl').textContent = `curl -F img=@digit.png ${/^[\w:/.%~-]+$/.test(url) ? url : `'${url.replaceAll("'", '%27')}'`}`;

showNothing();
