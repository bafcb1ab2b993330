// SPDX-License-Identifier: MIT
// Measured values and what becomes of them. A figure of this machine alone means little, least of all on a shared one; what
// counts is its ratio to another measured at the same time. So cases take turns, run by run, and a ratio is formed within each
// run: value of this run / other's value of this run. Its median and its spread are told, never a quotient of two medians.

/** One thing that was measured in every run. The n-th values of all series of a benchmark belong to one run. */
export interface Series {
  /** What `against` and readers call it; without white space: `diff`, `fault/in-a-view`. */
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  /** The series that this one's ratio is formed to, with the same number of values. */
  readonly against?: string;
}

export interface BenchResult {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
  readonly against: string | null;
  /** Median over the runs of this one's value divided by the other's; null without `against`. */
  readonly ratio: number | null;
  readonly ratioMin: number | null;
  readonly ratioMax: number | null;
}

/** One turn measures one or more series together, such as time and memory. */
export interface Case {
  readonly measures: readonly Omit<Series, 'values'>[];
  /** One value for each of `measures`. */
  readonly run: () => Promise<readonly number[]> | readonly number[];
}

/** Runs every case once per run, in turns, each second time in reverse: what drifts hits all of them alike. */
export async function inTurns(
  cases: readonly Case[],
  runs: number,
  onRun: (done: number) => void = () => {},
): Promise<Series[]> {
  const values = cases.map(({ measures }) => measures.map((): number[] => []));
  for (let run = 0; run < runs; run++) {
    const order = cases.map((one, at) => ({ one, at }));
    if (run % 2 === 1) order.reverse();
    for (const { one, at } of order) {
      const found = await one.run();
      if (found.length !== one.measures.length)
        throw new RangeError(`${one.measures[0]?.name}: ${one.measures.length} values expected, ${found.length} found`);
      found.forEach((value, measure) => {
        values[at]![measure]!.push(value);
      });
    }
    onRun(run + 1);
  }
  return cases.flatMap(({ measures }, at) => measures.map((one, i) => ({ ...one, values: values[at]![i]! })));
}

/** Throws RangeError for a series without values, of no finite value, or against one that is not there or has other runs. */
export function summarize(series: readonly Series[]): BenchResult[] {
  const byName = new Map(series.map((one) => [one.name, one]));
  if (byName.size !== series.length) throw new RangeError('two series have one name');
  return series.map(({ name, unit, values, against }) => {
    if (values.length === 0 || !values.every(Number.isFinite))
      throw new RangeError(`${name}: expected measured values, found ${values.join(' ') || 'none'}`);
    const base = against === undefined ? null : byName.get(against);
    if (base === undefined) throw new RangeError(`${name}: expected a series ${against} to compare with, found none`);
    if (base !== null && base.values.length !== values.length)
      throw new RangeError(`${name} has ${values.length} runs, ${base.name} ${base.values.length}`);
    const ratios = base?.values.map((value, run) => values[run]! / value) ?? null;
    return {
      name,
      unit,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      runs: values.length,
      against: against ?? null,
      ratio: ratios && median(ratios),
      ratioMin: ratios && Math.min(...ratios),
      ratioMax: ratios && Math.max(...ratios),
    };
  });
}

/** Of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
