// SPDX-License-Identifier: MIT
/*
 * What the runtime's benchmark patches: threads that run old functions now and then, and as many libraries as are wanted.
 * Compiled twice, the second time with -DNEW; -DFUNCTIONS=1, 30 or 900 of them differ.
 *
 *   target THREADS MODULES FOLDER     prints a line when it is ready, and then the answer for each line that it is sent
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef NEW
#define ANSWER(n) (x * 7 + (n) + 1000)
#else
#define ANSWER(n) (x * 3 + (n))
#endif

#define ONE(n) __attribute__((noipa)) int f##n(int x) { return ANSWER(1##n - 1000); }
#define TEN(n) ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3) ONE(n##4) ONE(n##5) ONE(n##6) ONE(n##7) ONE(n##8) ONE(n##9)
#define HUNDRED(n) TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)

#if FUNCTIONS == 1
ONE(000)
#elif FUNCTIONS == 30
TEN(00) TEN(01) TEN(02)
#else
HUNDRED(0) HUNDRED(1) HUNDRED(2) HUNDRED(3) HUNDRED(4) HUNDRED(5) HUNDRED(6) HUNDRED(7) HUNDRED(8)
#endif

static void *work(void *argument)
{
	for (;;) {
		f000(1);
		usleep(20000);
	}
	return argument;
}

int main(int argc, char **argv)
{
	int threads = argc > 3 ? atoi(argv[1]) : 1;
	int modules = argc > 3 ? atoi(argv[2]) : 0;
	pthread_attr_t small;
	char line[64], name[4096];
	pthread_t thread;

	for (int i = 0; i < modules; i++) {
		snprintf(name, sizeof(name), "%s/module-%d.so", argv[3], i);
		if (!dlopen(name, RTLD_NOW)) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
	}
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (int i = 1; i < threads; i++)
		if (pthread_create(&thread, &small, work, NULL))
			return 1;
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", f000(1));
		fflush(stdout);
	}
	return 0;
}
