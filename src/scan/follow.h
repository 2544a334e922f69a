/* Following: files that grow, and connections to a socket, all at once, for as long as is wanted.
 *
 * A file is read from where the last scan stopped (its position is kept once what was found up to
 * it has been told), or from its beginning.  Rotation by rename and by copy are both seen: the old
 * file is read until it has been quiet for a while, then the new one from its beginning.  A file of
 * a folder that is renamed within it is the same file still; what comes in its place is a new one.
 */
#pragma once

#include "scan/input.h"

#define FOLLOW_FILES_MAX 1024
#define FOLLOW_LISTENERS_MAX 16
#define FOLLOW_CONNECTIONS_MAX 256
#define FOLLOW_BLOCK_BYTES ((size_t)256 << 10)
#define FOLLOW_HEAD_BYTES 256 /* of a file, by which another one of the same name is known */
#define FOLLOW_LINGER_MS 1000 /* a file that was renamed may still grow: how long it is quiet */
#define FOLLOW_LOOK_MS 1000   /* where the system does not tell of changes, they are looked for */
#define FOLLOW_SAVE_MS 1000   /* positions are written at most this often */
#define FOLLOW_STATE_BYTES_MAX ((size_t)8 << 20)

struct follow;

struct follow_choice {
    /* Files, and folders: of a folder each file in it (none of folders below it), also those that
     * come later; names that begin with a dot are passed over.  Borrowed, as all of this. */
    const char *const *paths;
    size_t path_count;
    const char *const *sockets; /* Unix sockets to listen on */
    size_t socket_count;
    const char *state_path; /* where positions are kept; NULL: nowhere */
    const struct input_choice *input;
};

/* Sockets are listened on when this returns.  A file that is not there is reported and waited for.
 */
MUST_USE result follow_open(const struct follow_choice *choice, struct follow **out,
                            struct diag *diag);
/* Positions are written a last time, by the caller: follow_save. */
void follow_close(struct follow **follow);

/* Waits for lines.  *is_end after follow_stop, when each stream has given its last block. */
MUST_USE result follow_next(struct follow *follow, struct input_block *block, bool *is_end,
                            struct diag *diag);
/* Safe in a signal handler and from any thread. */
void follow_stop(struct follow *follow);

/* What this block held has been told: in the order of the blocks, from one thread at a time, which
 * need not be the one in follow_next.  Writes positions, no more often than FOLLOW_SAVE_MS. */
MUST_USE result follow_told(struct follow *follow, const struct input_block *block,
                            struct diag *diag);
MUST_USE result follow_save(struct follow *follow, struct diag *diag);
