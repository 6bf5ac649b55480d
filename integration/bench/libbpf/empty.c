// SPDX-License-Identifier: MIT
/* The empty C program. */
#include "memory.h"

int main(void)
{
	printf("0 %ld\n", peak_memory());
	return 0;
}
