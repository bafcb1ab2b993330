// SPDX-License-Identifier: MIT
// Loaded into a command that is measured (`node --import`): what it used is written to file descriptor 3 when it ends. The command
// itself knows nothing of it.

import { writeSync } from 'node:fs';

export interface Usage {
  readonly maxRssBytes: number;
  readonly cpuSeconds: number;
}

process.once('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  const usage: Usage = { maxRssBytes: maxRSS * 1024, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6 };
  writeSync(3, JSON.stringify(usage));
});
