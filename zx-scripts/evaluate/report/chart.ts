// SPDX-License-Identifier: MIT
// A chart as SVG text: ECharts draws it here, on the server's side, so that the page needs no script. What all charts share stands
// here; what each shows, in charts.ts.

import * as echarts from 'echarts';

export interface Chart {
  readonly title: string;
  /** A sentence or two under it: what is shown, and what to look for. */
  readonly caption: string;
  readonly option: echarts.EChartsCoreOption;
  readonly height?: number;
}

export const width = 880;

/** One colour for each way, in every chart. */
export const colours = {
  elsewhere: '#8b949e',
  'wait-free': '#1a7f37',
  stop: '#cf222e',
  barrier: '#9a6700',
} as const;

export function drawn({ option, height = 380 }: Chart): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  const font = { fontFamily: 'system-ui, sans-serif', fontSize: 12 };
  chart.setOption({
    animation: false,
    textStyle: font,
    grid: { left: 70, right: 24, top: 46, bottom: 54 },
    legend: { top: 6, itemGap: 30 },
    ...option,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** An axis with its name in its middle, clear of its labels. */
export const axis = (name: string, more: object = {}) => ({
  name,
  nameLocation: 'middle',
  nameGap: 34,
  type: 'value',
  ...more,
});
export const logarithmic = { type: 'log', logBase: 10, minorSplitLine: { show: false } } as const;
