/* What the pattern commands share. */
#pragma once

#include "cli/cli.h"
#include "stix/pattern.h"

#define PATTERN_ARENA_BYTES_MAX ((size_t)1 << 30)
#define PATTERN_OUT_BYTES_MAX ((size_t)64 << 20)

/* All of a file, or of standard input for "-". */
MUST_USE result cli_file_read(const char *path, struct buf *out, struct diag *diag);

/* --spec; CLI_MISUSED with words when it is neither edition. */
MUST_USE int cli_pattern_spec(const struct cli *cli, enum stix_spec *out);

/* A pattern that can be run: well-formed, its regular expressions too. */
MUST_USE result cli_pattern_read(slice text, enum stix_spec spec, struct arena *arena,
                                 struct pattern *pattern, struct pattern_error *error,
                                 struct diag *diag);
