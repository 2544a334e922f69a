/* Input files, one after another: packed or not, folders, standard input. */
#pragma once

#include "scan/input.h"

struct input_files;

/* paths: files (packed or not), folders (all files in and below them, by name), "-"; borrowed.
 * What cannot be read is reported, and the rest goes on. */
MUST_USE result input_files_open(const char *const *paths, size_t count,
                                 const struct input_choice *choice, struct input_files **out,
                                 struct diag *diag);
void input_files_close(struct input_files **files);
MUST_USE result input_files_next(struct input_files *files, struct input_block *block, bool *is_end,
                                 struct diag *diag);
/* No more blocks, soon; also for one who waits in input_files_next.  Safe in a signal handler. */
void input_files_stop(struct input_files *files);
