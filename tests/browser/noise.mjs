// A seven on noise, which no PNG makes smaller, of side × side pixels, chosen as a file. Returns the file's size.
export const chooseNoisySeven = (page, side) => page.evaluate(async side => {
	const canvas = new OffscreenCanvas(side, side), context = canvas.getContext('2d');
	const noise = new ImageData(side, side), pixels = new Uint32Array(noise.data.buffer);
	for (let i = 0, random = 1; i < pixels.length; i++) {
		random = Math.imul(random, 1664525) + 1013904223;
		pixels[i] = random >>> 8 | 0xff808080;
	}
	context.putImageData(noise, 0, 0);
	context.scale(side, side);
	context.lineWidth = .09;
	context.stroke(new Path2D('M.25 .22H.73L.45 .85'));
	const data = new DataTransfer();
	data.items.add(new File([await canvas.convertToBlob()], '7.png', { type: 'image/png' }));
	const input = document.getElementById('file');
	input.files = data.files;
	const { size } = data.files[0];
	input.dispatchEvent(new Event('change'));
	return size;
}, side);
