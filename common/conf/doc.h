// SPDX-License-Identifier: MIT
/*
 * Documents made from the tables, so that there is no second copy of them: what -T
 * prints, the options of a manual page, and an example file.
 */
#ifndef CONF_DOC_H
#define CONF_DOC_H

#include "conf/reader.h"

/* Every section read, every key with its effective value, secrets as ******. It can be read back.
 */
void conf_print_effective(FILE *to, const struct conf *c);

/* roff for man(7): a .SS a section, a .TP a key with syntax, default and prose. */
void conf_print_man(FILE *to, const struct conf_section *const *schema, size_t n);

/* Text in roff: no line begins with a control character, hyphens and backslashes stay. */
void conf_print_roff(FILE *to, struct str s);

/* An INI file with every key as a comment above its default. */
void conf_print_example(FILE *to, const struct conf_section *const *schema, size_t n);

#endif
