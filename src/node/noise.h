/* What is not worth a hit or a block: warning lists of the node, and public suffixes. */
#pragma once

#include "node/node.h"

struct allow;
struct suffixes;

struct noise {
    struct allow *allow;       /* owned */
    struct suffixes *suffixes; /* owned */
};
MUST_USE result noise_open(const struct node *node, struct noise *out, struct diag *diag);
void noise_close(struct noise *noise); /* fits CLEANUP */
/* As export_choice.is_allowed and is_suffix; context is the struct noise. */
bool noise_is_allowed(void *context, slice path, slice value);
bool noise_is_suffix(void *context, slice name);
