// SPDX-License-Identifier: MIT
/*
 * Any bytes as greenpi.conf, read by the shared sections: no crash, errors in the order of lines, every line
 * accounted for. What was good is printed and must read back with the same print.
 */
#include <stdio.h>

#include "conf/cluster.h"
#include "conf/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf_section *const schema[] = {&conf_board_section, &conf_pool_section,
						    &conf_server_section};

static struct conf *read_checked(struct str text, struct arena *arena, struct conf_errors *errors)
{
	struct conf *c;
	conf_errors_init(errors, arena);
	c = conf_read_text("fuzz", text, schema, ARRAY_LEN(schema), arena, errors);
	MUST(c);
	conf_check_cluster(c, errors);
	for (const struct conf_error *e = errors->first; e; e = e->next) {
		MUST(e->text && (!e->next || e->at.line <= e->next->at.line));
		MUST(e->next || e == errors->last);
	}
	return c;
}

static char *effective(const struct conf *c)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	MUST(to);
	conf_print_effective(to, c);
	fclose(to);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = NULL, *again = NULL;
	struct conf_errors errors;
	struct arena arena;
	struct conf *c;
	arena_init(&arena, NULL, 0, ARENA_UNLIMITED);
	c = read_checked(str_of((const char *)data, size), &arena, &errors);
	text = effective(c);
	if (errors.n == 0) {
		again = effective(read_checked(str_c(text), &arena, &errors));
		MUST(errors.n == 0 && strcmp(text, again) == 0);
	}
	arena_fini(&arena);
	return 0;
}
