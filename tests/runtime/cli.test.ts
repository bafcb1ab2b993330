// SPDX-License-Identifier: MIT
// timeout: 300
/** The command on input that it must refuse: one clear line, the right status, and a target that is as it was. */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildIdOf, symbolOf, Workshop } from './live.js';
import { patchFile } from './patches.js';

const CLI = new URL('../../runtime/driftpatch.js', import.meta.url).pathname;
const NOBODY = 65534;

const workshop = new Workshop();
test.after(() => workshop.clear());

const SOURCE = `
#include <stdio.h>
#include <unistd.h>
__attribute__((noinline)) int victim(int x) { for (int i = 0; i < x; i++) x = x * 3 + getpid(); return x; }
int main(int argc, char **argv) { printf("%d\\n", victim(argc)); fflush(stdout); pause(); return 0; }
`;
const pie = workshop.compile('pie', SOURCE, '-pie', '-fPIE');
const address = symbolOf(pie, 'victim');
/** In a PIE that gcc links, .text is mapped at its file offset. */
const bytes = readFileSync(pie).subarray(address, address + 5);

function patch(name: string, content: Uint8Array): string {
  const file = join(workshop.folder, name);
  writeFileSync(file, content);
  return file;
}
const fitting = patch('fitting.drift', patchFile({ buildId: buildIdOf(pie), address, bytes }));
const foreign = patch('foreign.drift', patchFile({ buildId: 'ab'.repeat(20), address, bytes }));

function run(args: string[], uid?: number) {
  const identity = uid === undefined ? {} : { uid, gid: uid };
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', ...identity });
  return { status, stdout, stderr, said: stderr.trim().split('\n').at(-1)! };
}

test('without a command it shows its usage, with status 2', () => {
  const { status, stderr } = run([]);
  assert.is(status, 2);
  assert.match(stderr, /Usage: driftpatch/);
});

test('help is no mistake, and shows how each command is used', () => {
  for (const command of ['apply', 'revert', 'status', 'completion']) {
    const { status, stdout } = run([command, '--help']);
    assert.is(status, 0);
    assert.match(stdout, new RegExp(`Examples:\\n {2}driftpatch ${command}`));
  }
  const { stdout } = run(['--help']);
  for (const command of ['apply', 'revert', 'status', 'list', 'doctor', 'completion'])
    assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
});

test('completion knows every command and option, and the shell takes it', () => {
  const script = run(['completion', 'bash']).stdout;
  const completed = (...words: string[]) => {
    const ask = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_driftpatch
printf '%s\n' "\${COMPREPLY[@]}"`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', ask], { encoding: 'utf8' });
    assert.is(status, 0, stderr);
    return stdout.trim().split('\n');
  };
  assert.equal(completed('driftpatch', 're'), ['revert']);
  assert.equal(completed('driftpatch', 'apply', '--con'), ['--consistency']);
  assert.equal(completed('driftpatch', 'apply', '--consistency', ''), ['strict', 'entry']);
  assert.equal(completed('driftpatch', 'apply', fitting.slice(0, -2)), [fitting]);
  assert.ok(completed('driftpatch', 'status', '--pid', '').includes(String(process.pid)));
  assert.match(run(['completion', 'zsh']).stdout, /^#compdef driftpatch\n[\s\S]*apply\) _arguments .*--exe/);
  const fish = run(['completion', 'fish']).stdout;
  assert.match(fish, /^complete -c driftpatch -n '__fish_seen_subcommand_from apply' -l exe .* -r -F$/m);
  assert.match(
    fish,
    /^complete -c driftpatch -n '__fish_seen_subcommand_from apply' -l mode .* -x -a 'wait-free stop'$/m,
  );
  assert.is(run(['completion', 'tcsh']).status, 2);
});

for (const shell of ['zsh', 'fish'])
  (spawnSync(shell, ['--version']).error ? test.skip : test)(`${shell} takes its completion`, () => {
    const file = join(workshop.folder, `completion.${shell}`);
    writeFileSync(file, run(['completion', shell]).stdout);
    const { status, stderr } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    assert.equal([status, stderr], [0, '']);
  });

test('with --json every failure is one object on stdout, and a line on stderr', () => {
  const { pid } = spawnSync('true');
  for (const [args, code, wanted] of [
    [['status', '--pid', String(pid)], 'PROCESS_GONE', 4],
    [['symbols', '--pid', String(pid)], 'PROCESS_GONE', 4],
    [['apply', '/nowhere.drift', '--pid', String(pid)], 'PATCH_UNREADABLE', 2],
    [['revert', 'fix', '--pid', String(pid)], 'PROCESS_GONE', 4],
    [['apply', fitting], 'USAGE', 2],
    [['apply'], 'USAGE', 2],
    [['status', '--colour'], 'USAGE', 2],
    [['nonsense'], 'USAGE', 2],
  ] as const) {
    const { status, stdout, stderr } = run([...args, '--json']);
    assert.is(status, wanted, stderr);
    const { schema, refusals } = JSON.parse(stdout);
    assert.equal([schema, refusals.length, refusals[0].code], [1, 1, code]);
    assert.ok(stderr.includes(refusals[0].message), `${stderr} lacks ${refusals[0].message}`);
  }
});

/** What becomes of a command in a shell. */
const shell = (script: string) => spawnSync('bash', ['-c', script], { encoding: 'utf8', timeout: 60_000 });

test('a reader that has gone is no error; output that is lost otherwise is', () => {
  const cli = `${process.execPath} ${CLI}`;
  const gone = shell(`${cli} status --pid $$ | true; echo "\${PIPESTATUS[0]}"`);
  assert.equal([gone.stdout, gone.stderr], ['0\n', '']);
  const full = shell(`${cli} status --pid $$ >/dev/full`);
  assert.equal([full.status, full.stderr], [1, 'driftpatch: its output is lost (ENOSPC)\n']);
});

test('a process is patched to the end when nobody reads about it', async () => {
  const { pid } = await workshop.run(pie);
  const cli = `${process.execPath} ${CLI}`;
  const apply = shell(
    `${cli} apply ${fitting} --pid ${pid} --mode stop --verbose 2>&1 | true; echo "\${PIPESTATUS[0]}"`,
  );
  assert.equal([apply.stdout, apply.stderr], ['0\n', '']);
  assert.match(run(['status', '--pid', String(pid)]).stdout, /return-42: applied/);
});

test('the version is the package’s', () => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  assert.is(run(['--version']).stdout, `${version}\n`);
});

test('a help text loads nothing that looks at processes or reads patches', () => {
  const teller = `import { writeSync } from 'node:fs';
    export async function resolve(name, context, next) {
      const found = await next(name, context);
      writeSync(2, found.url + '\\n');
      return found;
    }`;
  const hook = `import { register } from 'node:module'; register(${JSON.stringify(asModule(teller))});`;
  const { stderr } = spawnSync(process.execPath, ['--import', asModule(hook), CLI, '--help'], { encoding: 'utf8' });
  assert.match(stderr, /runtime\/driftpatch\.js$/m);
  assert.not.match(stderr, /cli-(change|look)|koffi|elfy/);
});

const asModule = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;

test('doctor says what is missing here and what to do: the kernel of this machine has no views', () => {
  const { status, stdout } = run(['doctor', '--json']);
  const { ok, checks, modes } = JSON.parse(stdout);
  assert.equal([status, ok, modes['wait-free']], [4, false, false]);
  const kernel = checks.find(({ name }: { name: string }) => name === 'kernel');
  assert.is(kernel.result, 'missing');
  assert.match(kernel.advice, /boot a kernel with the patches .*, or use --mode stop/);
  assert.match(run(['doctor']).stdout, /^kernel: missing: .*, without views\n {2}boot a kernel/m);
});

test('a list of nothing is that, also in the JSON', () => {
  const { status, stdout } = run(['list', '--json']);
  assert.is(status, 0);
  const { schema, patches, hidden } = JSON.parse(stdout);
  assert.equal([schema, Array.isArray(patches), typeof hidden], [1, true, 'number']);
});

for (const [args, message] of [
  [['apply', fitting], /give --pid N, --exe PATH or --all/],
  [['revert', 'fix'], /give --pid N, --exe PATH or --all/],
  [['apply', '--pid', '1'], /missing required argument/],
  [['apply', fitting, '--pid', 'server'], /a process id is a positive whole number/],
  [['apply', fitting, '--pid', '0'], /a process id is a positive whole number/],
  [['apply', fitting, '--pid', '1', '--timeout', 'soon'], /seconds are a number/],
  [['apply', fitting, '--pid', '1', '--consistency', 'loose'], /strict, entry/],
  [['apply', fitting, '--pid', '1', '--mode', 'hope'], /Allowed choices are wait-free/],
  [['apply', fitting, '--pid', '1', '--colour'], /unknown option '--colour'/],
  [['nonsense'], /unknown command/],
] as const)
  test(`wrong usage has status 2: ${args.slice(-2).join(' ')}`, () => {
    const { status, stderr } = run([...args]);
    assert.is(status, 2);
    assert.match(stderr, message);
  });

test('a file that is missing, empty, text, or another ELF is unusable input: one line, status 2', () => {
  const files = [
    join(workshop.folder, 'missing.drift'),
    patch('empty.drift', Buffer.alloc(0)),
    patch('text.drift', Buffer.from('#!/bin/sh\n')),
    pie,
  ];
  for (const file of files) {
    const { status, stdout, stderr } = run(['apply', file, '--pid', String(process.pid)]);
    assert.is(status, 2, `${file}: ${stderr}`);
    assert.is(stdout, '');
    assert.match(stderr, /^driftpatch: [^\n]+\n$/);
  }
});

test('a patch file cut off anywhere is unusable input', () => {
  const whole = readFileSync(fitting);
  for (let part = 1; part < 8; part++) {
    const file = patch('cut.drift', whole.subarray(0, Math.floor((whole.length * part) / 8)));
    const { status, stderr } = run(['apply', file, '--pid', String(process.pid)]);
    assert.is(status, 2, stderr);
    assert.match(stderr, /^driftpatch: not a usable patch file: [^\n]+\n$/);
  }
});

test('a pid that is gone cannot be done: status 4', () => {
  const { pid } = spawnSync('true');
  const { status, stderr } = run(['apply', fitting, '--pid', String(pid)]);
  assert.is(status, 4);
  assert.match(stderr, new RegExp(`^driftpatch: process ${pid} does not exist .*\n$`));
  assert.is(run(['status', '--pid', String(pid)]).status, 4);
});

test('another build id is refused with both ids, in the JSON too', async () => {
  const { pid } = await workshop.run(pie);
  const { status, stdout, said } = run(['apply', foreign, '--pid', String(pid), '--json']);
  assert.is(status, 4);
  assert.match(said, new RegExp(`runs ${pie} with build id ${buildIdOf(pie)}, the patch is for pie abab`));
  const result = JSON.parse(stdout);
  assert.equal(
    { ...result, refusals: result.refusals.map(({ code }: { code: string }) => code) },
    {
      schema: 1,
      pid,
      patch: 'return-42',
      state: 'refused',
      threads: { total: 0, migrated: 0 },
      timing: { cloneUs: 0, linkUs: 0, writeUs: 0, transitionUs: 0, foldUs: 0 },
      refusals: ['WRONG_BUILD'],
    },
  );
});

test('a kernel without views is named as that, and the target is as it was', async () => {
  const { pid } = await workshop.run(pie);
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
  const { status, said } = run(['apply', fitting, '--pid', String(pid)]);
  assert.is(status, 4);
  assert.match(said, /this kernel \(.*\) has no mmview_clone; boot the project's kernel: npm run vm/);
  assert.is(readFileSync(`/proc/${pid}/maps`, 'utf8'), maps);
});

test('a process of another user is refused: status 4', async () => {
  const asRoot = process.getuid!() === 0;
  if (asRoot) chmodSync(workshop.folder, 0o755);
  const pid = asRoot ? (await workshop.run(pie)).pid : 1;
  const { status, said } = run(['apply', fitting, '--pid', String(pid)], asRoot ? NOBODY : undefined);
  assert.is(status, 4, said);
  assert.match(said, new RegExp(`no permission to change process ${pid}`));
});

test('status of a process without patches says so, and lists it in the JSON', async () => {
  const { pid } = await workshop.run(pie);
  const { status, stdout } = run(['status', '--pid', String(pid)]);
  assert.is(status, 0);
  assert.is(stdout, `process ${pid} (pie) carries no patch\n`);
  assert.equal(JSON.parse(run(['status', '--pid', String(pid), '--json']).stdout), {
    schema: 1,
    processes: [{ pid, name: 'pie', patches: [] }],
    hidden: 0,
  });
});

test('status of everything does not name a process without patches', async () => {
  // other suites may be patching processes of theirs at this moment
  const { pid } = await workshop.run(pie);
  const { status, stdout, stderr } = run(['status']);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^(no process carries a patch|process \d+ )/);
  assert.not.match(stdout, new RegExp(`process ${pid} `));
});

test.run();
