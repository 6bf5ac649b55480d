// SPDX-License-Identifier: MIT
/*
 * What does libbpf do with a BPF object on the running kernel?
 *
 *   oracle [-v] OBJECT ...          open, load, attach every struct_ops map, detach
 *   oracle -t ROUNDS OBJECT ...     open and load only: the shortest time of ROUNDS
 *
 * Prints a line per object: its path, a tab, and one of
 *
 *   ok attached=N        N struct_ops maps attached
 *   open -ERRNO          refused by bpf_object__open_file
 *   load -ERRNO          refused by bpf_object__load
 *   attach MAP TEXT      refused by bpf_map__attach_struct_ops, with the errno's text
 *   ok NANOSECONDS       with -t
 *   died SIGNAL          libbpf crashed
 *
 * -v shows what libbpf logs. Every object has a process of its own. Attaching changes the
 * machine: use a virtual one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/*
 * Attaches, one after the other, all maps that libbpf's skeletons would; several of one
 * subsystem may exclude each other. Prints the result.
 */
static void attach(struct bpf_object *obj)
{
	struct bpf_link *link;
	struct bpf_map *map;
	int n = 0;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS || !bpf_map__autocreate(map) || !bpf_map__autoattach(map))
			continue;
		link = bpf_map__attach_struct_ops(map);
		if (!link) {
			printf("attach %s %s\n", bpf_map__name(map), strerror(errno));
			return;
		}
		bpf_link__destroy(link);
		n++;
	}
	printf("ok attached=%d\n", n);
}

static void try(const char *path)
{
	struct bpf_object *obj;
	int err;

	obj = bpf_object__open_file(path, NULL);
	if (!obj) {
		printf("open %d\n", -errno);
		return;
	}
	err = bpf_object__load(obj);
	if (err)
		printf("load %d\n", err);
	else
		attach(obj);
	bpf_object__close(obj);
}

static void measure(const char *path, int rounds)
{
	long long start, took, shortest = -1;
	struct bpf_object *obj;
	int err;

	while (rounds-- > 0) {
		start = now();
		obj = bpf_object__open_file(path, NULL);
		if (!obj) {
			printf("open %d\n", -errno);
			return;
		}
		err = bpf_object__load(obj);
		took = now() - start;
		bpf_object__close(obj);
		if (err) {
			printf("load %d\n", err);
			return;
		}
		if (shortest < 0 || took < shortest)
			shortest = took;
	}
	printf("ok %lld\n", shortest);
}

static int log_to_stderr(enum libbpf_print_level level, const char *format, va_list args)
{
	return vfprintf(stderr, format, args);
}

int main(int argc, char **argv)
{
	int opt, status, rounds = 0;

	libbpf_set_print(NULL);
	while ((opt = getopt(argc, argv, "vt:")) != -1) {
		if (opt == 'v')
			libbpf_set_print(log_to_stderr);
		else if (opt == 't')
			rounds = atoi(optarg);
		else
			return 2;
	}
	for (; optind < argc; optind++) {
		printf("%s\t", argv[optind]);
		fflush(stdout);
		switch (fork()) {
		case -1:
			perror("fork");
			return 1;
		case 0:
			if (rounds > 0)
				measure(argv[optind], rounds);
			else
				try(argv[optind]);
			fflush(stdout);
			_exit(0);
		}
		if (wait(&status) > 0 && WIFSIGNALED(status))
			printf("died %d\n", WTERMSIG(status));
		fflush(stdout);
	}
	return 0;
}
