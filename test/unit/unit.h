// SPDX-License-Identifier: MIT
/* What every unit test begins with: cmocka and the headers that it wants before its own. */
#ifndef UNIT_H
#define UNIT_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include "base/def.h"
#include "base/str.h"

static inline void unit_str_equal(struct str got, const char *want, const char *file, int line)
{
	if (got.n != strlen(want) || (got.n > 0 && memcmp(got.p, want, got.n) != 0)) {
		print_error("%s:%d: got \"%.*s\", want \"%s\"\n", file, line, STR_ARG(got), want);
		_fail(file, line);
	}
}

/* The slice holds just these bytes. */
#define assert_str_equal(got, want) unit_str_equal((got), (want), __FILE__, __LINE__)

#endif
