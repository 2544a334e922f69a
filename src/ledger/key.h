/* The ledger's keys as files: folder/keys/log.key, witness.key, node.key (docs/FORMATS.md). */
#pragma once

#include "ledger/head.h"

/* Reads them all into the ledger; those that are missing are made, unless read_only. */
MUST_USE result ledger_keys_open(const struct ledger_options *options, struct ledger *out,
                                 struct diag *diag);
