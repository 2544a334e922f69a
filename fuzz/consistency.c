/* What a log posts to a witness, and paths of tiles.  What is read and written again is the same.
 */
#include <assert.h>
#include <stdint.h>

#include "ledger/proof.h"
#include "ledger/tile.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct consistency parsed;
    char path[TILE_PATH_BYTES_MAX];
    struct tile tile;

    if (tile_path_parse(slice_of(bytes, count), &tile))
        assert(slice_eq(slice_of(path, tile_path_write(&tile, path)), slice_of(bytes, count)));
    if (succeeded(consistency_parse(slice_of(bytes, count), &parsed, NULL))) {
        CLEANUP(buf_free) struct buf again = BUF((size_t)1 << 20);

        consistency_write(parsed.old_size, &parsed.proof, parsed.note.all, &again);
        assert(slice_eq(buf_slice(&again), slice_of(bytes, count)));
        struct hash256 root = {0};
        (void)tree_is_consistent(parsed.old_size, &root, parsed.checkpoint.size,
                                 &parsed.checkpoint.root, &parsed.proof);
    }
    return 0;
}
