// Draws charts for echarts_renderer.py: a line of JSON in, a line of JSON out, until stdin closes.
// in:  {option, width, height, widths: {letter: advance in em}}
// out: {svg, boxes: [[[x1, y1, x2, y2] or null, ...] for each series]} or {error}
"use strict";

const echarts = require(process.argv[2]);

Date.now = () => 0;
let widths = {};

// Node has no canvas that could measure text, and ECharts would guess.
echarts.setPlatformAPI({
  measureText(text, font) {
    const size = parseFloat((/([\d.]+)px/.exec(font || "") || [0, "12"])[1]);
    let sum = 0;
    for (const letter of text || "") sum += widths[letter] ?? 0.6;
    return { width: sum * size };
  },
});

// The same numbers for every chart, whatever was drawn before it.
function seed() {
  let state = 1;
  Math.random = () => (state = (state * 48271) % 2147483647) / 2147483647;
}

function boxOf(element) {
  if (!element) return null;
  const rect = element.getBoundingRect().clone();
  const moved = element.getComputedTransform();
  if (moved) rect.applyTransform(moved);
  return [rect.x, rect.y, rect.x + rect.width, rect.y + rect.height];
}

function draw(request) {
  seed();
  widths = request.widths;
  const { width, height } = request;
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(request.option);
    // Identifiers count the charts of a process; the classes say what changes under a pointer.
    const svg = chart
      .renderToSVGString()
      .replace(/ class="zr\d+-cls-\d+"/g, "")
      .replace(/<style[\s\S]*?<\/style>/g, "")
      .replace(/\bzr\d+-/g, "zr-");
    const boxes = [];
    for (const series of chart.getModel().getSeries()) {
      const data = series.getData();
      boxes.push(Array.from({ length: data.count() }, (_, index) => boxOf(data.getItemGraphicEl(index))));
    }
    return { svg, boxes };
  } finally {
    chart.dispose();
  }
}

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    let answer;
    try {
      answer = draw(JSON.parse(line));
    } catch (error) {
      answer = { error: String((error && error.message) || error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  })
  .on("close", () => process.exit(0));
