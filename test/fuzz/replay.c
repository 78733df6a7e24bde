// SPDX-License-Identifier: MIT
/*
 * Feeds files to a fuzz target, one after the other, without a fuzzer: how seeds and old crashers
 * stay tests under any compiler. Beside each file as it is, it tries it cut short at a few places.
 * The last line says what was done, or in which file it died.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/def.h"

#define CUTS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* There under the sanitizers only. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static unsigned runs;
static const char *current;

/* Says in which file a crash was found; dying, so nothing but write(). */
static void name_the_culprit(void)
{
	static const char words[] = "replay: died in ";
	(void)!write(STDERR_FILENO, words, sizeof(words) - 1);
	(void)!write(STDERR_FILENO, current, strlen(current));
	(void)!write(STDERR_FILENO, "\n", 1);
}

static void on_abort(int sig UNUSED)
{
	name_the_culprit();
	signal(SIGABRT, SIG_DFL);
}

/* A block of just its size: a read behind its end meets the sanitizer's red zone. */
static void run(const uint8_t *data, size_t size)
{
	AUTO_FREE uint8_t *exact = def_xmalloc(size);
	if (size > 0)
		memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	runs++;
}

static uint8_t *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "re");
	uint8_t *data = NULL;
	*size = 0;
	if (!f) {
		perror(path);
		exit(1);
	}
	while (!feof(f) && !ferror(f)) {
		data = realloc(data, *size + 65536);
		MUST(data);
		*size += fread(data + *size, 1, 65536, f);
	}
	if (ferror(f)) {
		perror(path);
		exit(1);
	}
	fclose(f);
	return data;
}

static void run_file(const char *path)
{
	size_t size;
	AUTO_FREE uint8_t *data = read_file(path, &size);
	current = path;
	run(data, size);
	for (size_t i = 1; i < CUTS && size >= CUTS; i++)
		run(data, size * i / CUTS);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 2;
	}
	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(name_the_culprit);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	printf("replay: %s: %d files, %u runs, no complaint\n", argv[0], argc - 1, runs);
	return 0;
}
