/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdio.h>
#include <string.h>

/* Peak resident memory in KiB. getrusage(2) would count that of the parent, too. */
static inline long peak_memory(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}
