/* export --to FORMAT, export install: files for defences. */
#pragma once

#include "cli/cli.h"

int cli_export_to(struct cli *cli, const char *format);
