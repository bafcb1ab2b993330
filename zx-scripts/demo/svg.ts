// SPDX-License-Identifier: MIT
// A picture of terminal text: lines with ANSI colours in, an SVG out. Knows the few codes that picocolors writes; any other
// is dropped, never shown.

const columns = 112;
const [charWidth, lineHeight, margin, bar] = [7.6, 17, 18, 26];
const colours: Readonly<Record<number, string>> = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  34: '#79c0ff',
  35: '#d2a8ff',
  36: '#56d4dd',
  90: '#8b949e',
};

interface Style {
  readonly colour: string | null;
  readonly bold: boolean;
  readonly dim: boolean;
}
const plain: Style = { colour: null, bold: false, dim: false };

export function svgOf(lines: readonly string[], title: string): string {
  const wrapped = lines.flatMap((line) => line.split('\n')).flatMap(wrap);
  const width = Math.ceil(columns * charWidth + 2 * margin);
  const height = bar + wrapped.length * lineHeight + 2 * margin;
  let style = plain;
  const texts = wrapped.map((line, at) => {
    const [spans, after] = spansOf(line, style);
    style = after;
    return `<text x="${margin}" y="${bar + margin + at * lineHeight + 10}">${spans}</text>`;
  });
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (fill, at) => `<circle cx="${20 + at * 18}" cy="17" r="5.5" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${dots.join('')}
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="12.6" fill="#e6edf3" xml:space="preserve" style="white-space:pre">
${texts.join('\n')}
</g>
</svg>
`;
}

/** One line as tspans, and the style that the next one begins with. */
function spansOf(line: string, begin: Style): [string, Style] {
  let style = begin;
  const spans: string[] = [];
  for (const part of parts(line)) {
    if (part.codes === null) spans.push(spanOf(part.text, style));
    else style = part.codes.reduce(changed, style);
  }
  return [spans.join(''), style];
}

function changed(style: Style, code: number): Style {
  if (code === 0) return plain;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 39) return { ...style, colour: null };
  const colour = colours[code];
  return colour ? { ...style, colour } : style;
}

function spanOf(text: string, { colour, bold, dim }: Style): string {
  const fill = colour ?? (dim ? '#8b949e' : null);
  const words = [fill && ` fill="${fill}"`, bold && ' font-weight="700"'].filter(Boolean).join('');
  return words ? `<tspan${words}>${escaped(text)}</tspan>` : escaped(text);
}

interface Part {
  readonly text: string;
  /** Null for text. */
  readonly codes: readonly number[] | null;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with the escape character
const sequence = /\u001b\[([0-9;?]*)([A-Za-z])/;

function parts(line: string): Part[] {
  const found: Part[] = [];
  let rest = line;
  for (let match = sequence.exec(rest); match; match = sequence.exec(rest)) {
    if (match.index > 0) found.push({ text: rest.slice(0, match.index), codes: null });
    if (match[2] === 'm') found.push({ text: '', codes: (match[1] || '0').split(';').map(Number) });
    rest = rest.slice(match.index + match[0].length);
  }
  if (rest) found.push({ text: rest, codes: null });
  return found;
}

/** Lines that are too long go on in the next one, at a space where there is one. */
function wrap(line: string): string[] {
  const lines: string[] = [];
  let [current, length] = ['', 0];
  for (const { text, codes } of parts(line)) {
    if (codes) {
      current += `\u001b[${codes.join(';')}m`;
      continue;
    }
    for (const word of text.split(/(?<= )/)) {
      if (length > 0 && length + word.trimEnd().length > columns) {
        lines.push(current);
        [current, length] = ['    ', 4];
      }
      current += word;
      length += word.length;
    }
  }
  return [...lines, current];
}

/** XML, without the characters that it cannot hold. */
const escaped = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no control characters
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, '')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
