// SPDX-License-Identifier: MIT
/* What a C program does that uses libbpf: opens and loads an object, closes it. */
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "memory.h"

int main(int argc, char **argv)
{
	struct bpf_object *obj;
	struct bpf_program *prog;
	int err, programs = 0;

	libbpf_set_print(NULL);
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj)
		return 1;
	err = bpf_object__load(obj);
	if (err) {
		fprintf(stderr, "%s\n", strerror(-err));
		return 1;
	}
	bpf_object__for_each_program(prog, obj)
		if (bpf_program__fd(prog) >= 0)
			programs++;
	printf("%d %ld\n", programs, peak_memory());
	bpf_object__close(obj);
	return 0;
}
