// SPDX-License-Identifier: GPL-2.0
/*
 * A shared library for the test `inside`: its function is bound at the first
 * call, by an IFUNC resolver that does what the test wants.
 */
static void (*on_resolve)(void);

static long resolved(void)
{
	return 7;
}

static long (*resolve(void))(void)
{
	on_resolve();
	return resolved;
}

long lazily_bound(void) __attribute__((ifunc("resolve")));

long call_lazily(void (*in_resolver)(void));
long call_lazily(void (*in_resolver)(void))
{
	on_resolve = in_resolver;
	return lazily_bound();
}
