/* One line about an object: what a person would call it. */
#pragma once

#include "cli/cli.h"
#include "json/json.h"

/* Its name, value, pattern or, of a relationship, "source uses target" in short.  Lives in the
 * arena. */
slice headline(const struct json_doc *doc, struct arena *arena);

/* The same of an object's text; empty when it cannot be read. */
slice headline_of_text(struct json_parser *parser, slice text, struct arena *arena);

/* Prints at most `bytes` of it, cut between characters. */
void headline_print(FILE *out, slice line, size_t bytes);
