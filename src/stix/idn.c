#include "stix/idn.h"

#include <idn2.h>

#include "base/banned.h"

#define NAME_BYTES_MAX 1024 /* of UTF-8; a name of 253 in ASCII is shorter */

slice idn_to_ascii(slice name, struct arena *arena)
{
    char text[NAME_BYTES_MAX + 1];
    char *ascii = NULL;

    if (name.len > NAME_BYTES_MAX || memchr(name.at, 0, name.len) != NULL)
        return name;
    memcpy(text, name.at, name.len);
    text[name.len] = '\0';
    if (idn2_to_ascii_8z(text, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
        return name;
    slice copy = arena_copy(arena, slice_text(ascii));
    idn2_free(ascii);
    return copy;
}
