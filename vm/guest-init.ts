// SPDX-License-Identifier: MIT
// The guest's first process: a shell script that reaches the guest over the control share, so that neither the image nor
// the host's root has to contain it. It mounts what programs expect, runs the command, ends whatever is left, counts the
// views that leaked, and writes the verdict.
//
// Invariant: the verdict file appears by one rename, after everything else has been written and flushed; it carries a
// token that the host made for this boot. No verdict means that the guest is lost.

/** What the kernel runs as init: just enough to reach the real script. Goes on the kernel command line. */
export const stageOne = `init=/bin/sh -- -c "mount -t 9p -o trans=virtio,version=9p2000.L,cache=none control /mnt && exec /bin/sh /mnt/init"`;

export interface InitFacts {
  readonly token: string;
  readonly hostRoot: boolean;
  readonly share: boolean;
  readonly interactive: boolean;
}

const nineP = 'trans=virtio,version=9p2000.L,msize=524288';

export function initScript(facts: InitFacts): string {
  return `#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=linux
lost() { echo "driftpatch: the guest's set-up failed: $*"; exit 1; }
${facts.hostRoot ? `[ "$1" = two ] || {\n${overlayRoot}}` : ''}
mount -t proc proc /proc && mount -t sysfs sysfs /sys || lost /proc
[ -c /dev/null ] || mount -t devtmpfs devtmpfs /dev || lost /dev
mount -t tmpfs -o mode=0755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /tmp || lost /run
mkdir -p /dev/pts /dev/shm /run/driftpatch /run/lock
mount -t devpts -o gid=5,mode=0620,ptmxmode=0666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
ln -sf /proc/self/fd /dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -sf /proc/self/fd/\${n%:*} /dev/\${n#*:}; done
c=/run/driftpatch
mount -n --move /mnt $c || lost control share
mkdir -p /project && mount -t 9p -o ro,${nineP},cache=loose project /project || lost /project
${facts.share ? `mkdir -p /mnt/share && mount -t 9p -o ${nineP},cache=mmap share /mnt/share || lost /mnt/share` : ''}
ip link set lo up || lost the loopback interface
echo driftpatch >/proc/sys/kernel/hostname
cd /project
${facts.interactive ? interactive : runCommand}
# Views are counted when nobody is left to own one. Freeing them may wait for a grace period.
everybody_else() { for p in /proc/[0-9]*; do p=\${p#/proc/}; case $p in 1|$o|$e) ;; *) echo $p;; esac; done; }
for round in 1 2 3; do kill -KILL $(everybody_else) 2>/dev/null; done
wait $o $e
views=0
f=/sys/kernel/debug/mmview/views
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ -r $f ] || break
	read -r views <$f
	[ "$views" = 0 ] && break
	sleep 0.1
done
read -r tainted </proc/sys/kernel/tainted
cd /
sync
${facts.share ? 'umount /mnt/share || umount -l /mnt/share' : ''}
echo "${facts.token} $status $views $tainted" >$c/verdict.part
mv $c/verdict.part $c/verdict
sync
# reboot(2) with LINUX_REBOOT_CMD_POWER_OFF; perl is in every Debian root, a power-off command is not.
exec perl -e 'syscall(169, 0xfee1dead, 0x28121969, 0x4321fedc)'
`;
}

/** The host's root comes read-only: an overlay in memory makes it writable, and hides every change from the host. */
const overlayRoot = `
mount -t tmpfs -o mode=0755 tmpfs /tmp && mkdir /tmp/upper /tmp/work /tmp/root || lost overlay
mount -t overlay -o lowerdir=/,upperdir=/tmp/upper,workdir=/tmp/work overlay /tmp/root || lost overlay
mount -n --move /dev /tmp/root/dev && mount -n --move /mnt /tmp/root/mnt || lost overlay
mkdir -p /tmp/root/.host && cd /tmp/root && pivot_root . .host || lost overlay
exec chroot . /bin/sh -c 'umount -l /.host; exec /bin/sh /mnt/init two'
`;

/** Pipes, not the share's files themselves: a program may open /dev/stderr again, and must not truncate what is there. */
const runCommand = `
mkfifo /run/stdout /run/stderr
cat </run/stdout >$c/stdout & o=$!
cat </run/stderr >$c/stderr & e=$!
setsid sh $c/command </dev/null >/run/stdout 2>/run/stderr &
wait $!; status=$?`;

const interactive = `
o=1 e=1
export TERM="$(cat $c/term)"
stty -F /dev/ttyS0 sane $(cat $c/size) 2>/dev/null
setsid -c -w bash -l </dev/ttyS0 >/dev/ttyS0 2>&1
status=$?`;

/** One argument as a word that a shell takes literally. */
export const shellWord = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** The script that the guest runs for a command: its environment, then the command itself in the shell's place. */
export function commandScript(command: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${shellWord(value)}\n`);
  return `${exports.join('')}exec ${command.map(shellWord).join(' ')}\n`;
}
