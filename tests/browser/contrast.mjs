// Contrast as WCAG 2 defines it: 4.5 is wanted of text, 3 of large text and of what is drawn.

// Of [what, on what, least, property] those that have less: what's property ('color', unless another is named) against the
// background colour of what it stands on. Selectors.
export const tooFaint = (page, pairs) => page.evaluate(pairs => {
	const luminance = (selector, property) => {
		const [r, g, b] = getComputedStyle(document.querySelector(selector))[property].match(/[\d.]+/g)
			.map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
		return .2126 * r + .7152 * g + .0722 * b;
	};
	return pairs.map(([what, on, least, property = 'color']) => {
		const [dark, light] = [luminance(what, property), luminance(on, 'backgroundColor')].sort((a, b) => a - b);
		return { what, on, least, contrast: (light + .05) / (dark + .05) };
	}).filter(({ least, contrast }) => contrast < least);
}, pairs);
