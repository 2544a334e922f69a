/* Signed notes and checkpoints from outside.  What is read and written again is the same text. */
#include <assert.h>
#include <stdint.h>

#include "ledger/note.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static size_t sum; /* every byte of every slice is read */

static void touch(slice s)
{
    for (size_t i = 0; i < s.len; i++)
        sum += (uint8_t)s.at[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    static struct note note;
    struct note_verifier verifier;
    struct checkpoint checkpoint;

    if (succeeded(note_verifier_parse(slice_of(bytes, count), &verifier, NULL))) {
        CLEANUP(buf_free) struct buf again = BUF(NOTE_KEY_TEXT_BYTES_MAX);

        note_verifier_write(&verifier, &again);
        assert(again.len == count);
    }
    if (failed(note_parse(slice_of(bytes, count), &note, NULL)))
        return 0;
    touch(note.text);
    for (size_t i = 0; i < note.signature_count; i++) {
        touch(note.signatures[i].name);
        touch(note.signatures[i].line);
    }
    if (succeeded(checkpoint_parse(note.text, &checkpoint, NULL))) {
        CLEANUP(buf_free) struct buf again = BUF(NOTE_BYTES_MAX);

        checkpoint_write(&checkpoint, &again);
        assert(slice_starts(note.text, buf_slice(&again)));
    }
    return 0;
}
