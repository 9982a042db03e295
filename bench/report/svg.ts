import type { Bar } from "../measure/phases";

const WIDTH = 820;
const LEFT = 120;
const BAR = 26;
const LINE = 18;

/**
 * Draws each side's phases as one bar, with a legend below it. The sides differ by a factor of ten and
 * more, so each bar has a scale of its own, and its total stands at its end.
 */
export function pictureOf(bars: readonly Bar[]): string {
  // A phase has the same colour in every bar.
  const names = [...new Set(bars.flatMap(({ phases }) => phases.map(({ name }) => name)))];
  const colourOf = (name: string) => colour(names.indexOf(name));
  let y = 0;
  const parts: string[] = [];
  for (const bar of bars) {
    parts.push(`<g transform="translate(0 ${y})">${drawn(bar, colourOf)}</g>`);
    y += BAR + 44 + Math.ceil(bar.phases.length / 3) * LINE;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img">
<title>Where the time of a set-up goes</title>
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3; } }
</style>
${parts.join("\n")}
</svg>
`;
}

function drawn({ side, phases, total }: Bar, colourOf: (phase: string) => string): string {
  const sum = phases.reduce((length, { time }) => length + Math.max(0, time.median), 0);
  const scale = (WIDTH - LEFT) / sum;
  let x = LEFT;
  const blocks = phases.map(({ name, time }) => {
    const width = Math.max(0, time.median) * scale;
    const block =
      `<rect x="${x.toFixed(1)}" y="22" width="${width.toFixed(1)}" height="${BAR}" ` +
      `fill="${colourOf(name)}"><title>${escaped(name)}: ${time.median.toFixed(1)} ms</title></rect>`;
    x += width;
    return block;
  });
  const legend = phases.map(({ name, time }, i) => {
    const left = LEFT + (i % 3) * ((WIDTH - LEFT) / 3);
    const top = 22 + BAR + LINE * (Math.floor(i / 3) + 1);
    return (
      `<rect x="${left.toFixed(1)}" y="${top - 9}" width="10" height="10" fill="${colourOf(name)}"/>` +
      `<text x="${(left + 16).toFixed(1)}" y="${top}">${escaped(name)} ${time.median.toFixed(0)} ms</text>`
    );
  });
  const heading = `<text x="0" y="40">${escaped(side)}</text>
<text x="${WIDTH}" y="15" text-anchor="end">${total.median.toFixed(0)} ms</text>`;
  return [heading, ...blocks, ...legend].join("\n");
}

/** A colour that can be seen on white and on black, far in hue from that of the next phase. */
function colour(index: number): string {
  return `hsl(${(210 + index * 137) % 360} 55% 55%)`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
