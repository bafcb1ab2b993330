#include <stdio.h>
#include <unistd.h>

__attribute__((noinline)) static int answer(int question)
{
	return question * 6;
}

int main(void)
{
	for (int i = 0;; i++) {
		printf("%d\n", answer(i));
		sleep(1);
	}
}
