/* Public suffixes: the system's list (package publicsuffix) when it is there, and a few that are
 * common when it is not.  A name of one label is one always. */
#include "scan/build.h"

#include "base/banned.h"

#define SUFFIXES_BYTES_MAX ((size_t)4 << 20)
#define SUFFIXES_SLOTS ((size_t)1 << 15)
#define SUFFIXES_MAX (SUFFIXES_SLOTS / 2)
#define SUFFIXES_FILE "/usr/share/publicsuffix/public_suffix_list.dat"

struct suffixes {
    struct arena arena;
    slice *slots; /* names, "*.ck" and "!www.ck" as the list has them */
    size_t count;
};

static const slice common[] = {
    S("co.uk"),  S("org.uk"), S("gov.uk"), S("ac.uk"),  S("com.au"), S("net.au"), S("org.au"),
    S("co.jp"),  S("or.jp"),  S("ne.jp"),  S("ac.jp"),  S("go.jp"),  S("co.il"),  S("org.il"),
    S("ac.il"),  S("gov.il"), S("co.kr"),  S("or.kr"),  S("com.br"), S("net.br"), S("org.br"),
    S("com.cn"), S("net.cn"), S("org.cn"), S("com.tw"), S("com.hk"), S("com.sg"), S("co.in"),
    S("co.nz"),  S("co.za"),  S("com.mx"), S("com.ar"), S("com.tr"), S("com.ua"), S("co.id"),
    S("co.th"),  S("com.my"), S("com.vn"), S("com.ph"), S("com.pl"), S("com.ru"), S("com.co"),
};

static slice *slot_of(const struct suffixes *suffixes, slice name)
{
    size_t i = image_hash(0, 0, name) % SUFFIXES_SLOTS;

    while (suffixes->slots[i].len > 0 && !slice_eq(suffixes->slots[i], name))
        i = (i + 1) % SUFFIXES_SLOTS;
    return &suffixes->slots[i];
}

static void name_add(struct suffixes *suffixes, slice name)
{
    slice *slot = slot_of(suffixes, name);

    if (slot->len > 0 || suffixes->count == SUFFIXES_MAX)
        return;
    *slot = name;
    suffixes->count++;
}

/* The list's lines: a rule, a comment, or nothing. */
static void list_add(struct suffixes *suffixes, slice text)
{
    slice line;

    while (text.len > 0) {
        (void)slice_cut(text, '\n', &line, &text);
        line = slice_trim(line);
        if (line.len == 0 || line.at[0] == '/' || slice_find_byte(line, '.') == SIZE_MAX)
            continue;
        slice name = stix_value_normal(SLICE("domain-name:value"), line, &suffixes->arena);
        if (name.at != NULL)
            name_add(suffixes, name);
    }
}

/* Without the list the common ones are all there is: that is no failure. */
static void file_read(struct suffixes *suffixes)
{
    CLEANUP(source_close) struct source *source = NULL;
    CLEANUP(buf_free) struct buf text = BUF(SUFFIXES_BYTES_MAX);
    size_t count = 0;

    if (failed(source_open(SUFFIXES_FILE, &source, NULL)))
        return;
    do {
        char *room = buf_reserve(&text, (size_t)64 << 10);

        if (room == NULL || failed(source_read(source, room, (size_t)64 << 10, &count, NULL)))
            return;
        text.len += count;
    } while (count > 0);
    list_add(suffixes, arena_copy(&suffixes->arena, buf_slice(&text)));
}

result suffixes_new(struct suffixes **out, struct diag *diag)
{
    size_t capacity = 0;
    struct suffixes *suffixes =
        (struct suffixes *)table_grow(NULL, &capacity, 1, 1, sizeof(*suffixes));

    *out = suffixes;
    if (suffixes == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory");
    *suffixes = (struct suffixes){.arena = ARENA(SUFFIXES_BYTES_MAX * 2)};
    suffixes->slots = arena_new(&suffixes->arena, slice, SUFFIXES_SLOTS);
    if (suffixes->slots == NULL)
        return diag_fail(diag, ERR_LIMIT, "no memory");
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
        name_add(suffixes, common[i]);
    file_read(suffixes);
    return OK;
}

void suffixes_free(struct suffixes **suffixes)
{
    if (*suffixes == NULL)
        return;
    arena_free(&(*suffixes)->arena);
    table_free(*suffixes);
    *suffixes = NULL;
}

bool suffixes_has(const struct suffixes *suffixes, slice name)
{
    char room[260];
    size_t dot = slice_find_byte(name, '.');

    if (dot == SIZE_MAX)
        return true;
    if (slot_of(suffixes, name)->len > 0)
        return true;
    slice above = slice_from(name, dot + 1);
    if (name.len + 2 > sizeof(room))
        return false;
    /* "*.ck" makes every name below ck one, "!www.ck" takes one out. */
    memcpy(room, "*.", 2);
    memcpy(room + 2, above.at, above.len);
    if (slot_of(suffixes, slice_of(room, above.len + 2))->len == 0)
        return false;
    room[0] = '!';
    memcpy(room + 1, name.at, name.len);
    return slot_of(suffixes, slice_of(room, name.len + 1))->len == 0;
}
