/* LIKE and MATCHES of all rules, asked of a value at once: those of one path are one search
 * (match/multi.h), and of a LIKE that it names the answer is then known. */
#pragma once

#include "scan/image.h"

/* For every open path of OPEN_TEXT, and for OPEN_LINE, the search of its expressions. */
MUST_USE result texts_build(struct ruleset *set, struct diag *diag);
void texts_free(struct ruleset *set);

/* The parts whose LIKE or MATCHES may hit the value, each given to `found`, some twice. */
void texts_search(const struct ruleset *set, struct text_scratch *scratch, size_t open, slice value,
                  void (*found)(void *context, uint32_t part), void *context);
