/* The options of search and export as a query of the store. */
#pragma once

#include "cli/cli.h"

/* Fills *query from the options given; everything lives in the arena.  CLI_OK, or an exit code with
 * the words said. */
MUST_USE int cli_query(const struct cli *cli, struct store_view *view, struct arena *arena,
                       struct store_query *query);
