/* LIKE and MATCHES of all rules, asked of a value at once. */
#pragma once

#include "scan/image.h"

/* For every open path of OPEN_TEXT the matcher of its expressions. */
MUST_USE result texts_build(struct ruleset *set, struct diag *diag);
void texts_free(struct ruleset *set);

/* The parts whose LIKE or MATCHES may hit the value, each given to `found`. */
void texts_search(const struct ruleset *set, struct text_scratch *scratch, size_t open, slice value,
                  void (*found)(void *context, uint32_t part), void *context);
