#include "stix/checked.h"

/* The specification's own examples (STIX 2.1, errata 01), and some computed by another program from
 * the same rules. */
static const struct {
    const char *name;
    slice json;
    slice uuid; /* empty: none is derived */
} observables[] = {
    {"ipv4-addr", S("{'type':'ipv4-addr','value':'198.51.100.3'}"),
     S("28bb3599-77cd-5a82-a950-b5bc3caf07c4")},
    {"domain-name", S("{'type':'domain-name','value':'example.com'}"),
     S("bedb4899-d24b-5401-bc86-8f6b4cc18ec7")},
    {"file by its hash and name",
     S("{'type':'file','size':25536,'name':'foo.dll','hashes':{'SHA-256':"
       "'fe90a7e910cb3a4739bed9180e807e93fa70c90f25a8915476f5e4bfbac681db'}}"),
     S("949eb97a-da1e-5292-8959-03c4249dc9f3")},
    {"file with an extension",
     S("{'type':'file','hashes':{'SHA-256':"
       "'35a01331e9ad96f751278b891b6ea09699806faedfa237d40513d92ad1b7100f'},"
       "'extensions':{'ntfs-ext':{'alternate_data_streams':[{'size':25536,'name':"
       "'second.stream'}]}}}"),
     S("ba04c974-3cef-5f42-adc7-084d467874e2")},
    {"file in a directory",
     S("{'type':'file','hashes':{'SHA-256':"
       "'ceafbfd424be2ca4a5f0402cae090dda2fb0526cf521b60b60077c0f622b285a'},"
       "'parent_directory_ref':'directory--0a58d0c1-59e6-5afd-8252-dcd3f13e5622',"
       "'name':'qwerty.dll'}"),
     S("362a53af-9834-500e-8f3b-b73e83206cdd")},
    {"directory", S("{'type':'directory','path':'C:\\\\Windows\\\\System32'}"),
     S("0a58d0c1-59e6-5afd-8252-dcd3f13e5622")},
    {"a name beyond ASCII",
     S("{'type':'file','hashes':{'SHA-256':"
       "'841a8921140aba50671ebb0770fecc4ee308c4952cfeff8de154ab14eeef4649'},"
       "'name':'qu\xc3\xaary.dll','name_enc':'windows-1252'}"),
     S("7d1e3a18-89e7-5bc5-be36-9879f5b7f5c8")},
    {"pdf",
     S("{'type':'file','name':'example.pdf','extensions':{'pdf-ext':{'version':'1.7',"
       "'document_info_dict':{'Title':'Sample document','Author':'Adobe Systems Incorporated',"
       "'Creator':'Adobe FrameMaker 5.5.3 for Power Macintosh','Producer':"
       "'Acrobat Distiller 3.01 for Power Macintosh','CreationDate':'20070412090123-02'},"
       "'pdfid0':'DFCE52BD827ECF765649852119D','pdfid1':'57A1E0F9ED2AE523E313C'}}}"),
     S("965aa96f-d90a-506a-8317-d38d44b235f9")},
    {"nothing to derive from", S("{'type':'file','size':3}"), S("")},
    {"a process has no such property", S("{'type':'process','pid':1}"), S("")},
    {"no observable", S("{'type':'tool','name':'x'}"), S("")},
    {"no type", S("{'value':'example.com'}"), S("")},
    {"no hash in the hashes", S("{'type':'file','hashes':{}}"), S("")},
};

static void ids_follow_from_content(void **state)
{
    struct checked *checked = *state;
    CLEANUP(buf_free) struct buf scratch = BUF((size_t)1 << 20);

    CHECK_ROWS(row, observables) {
        char text[UUID_TEXT_BYTES];
        struct uuid uuid;

        checked_run_plain(checked, row->json, STIX_LENIENT);
        bool derived = stix_sco_id(&checked->doc, checked->doc.nodes, &scratch, &uuid);
        assert_int_equal(derived, row->uuid.len > 0);
        if (!derived)
            continue;
        uuid_format(&uuid, text);
        if (!slice_eq(slice_of(text, sizeof(text)), row->uuid))
            fail_msg("%s: %.*s", row->name, (int)sizeof(text), text);
    }
}

static void the_first_preferred_hash_counts(void **state)
{
    struct checked *checked = *state;
    CLEANUP(buf_free) struct buf scratch = BUF((size_t)1 << 20);
    struct uuid both, one;

    checked_run_plain(checked, SLICE("{'type':'file','hashes':{'SHA-1':'aa','MD5':'bb'}}"),
                      STIX_LENIENT);
    assert_true(stix_sco_id(&checked->doc, checked->doc.nodes, &scratch, &both));
    checked_run_plain(checked, SLICE("{'type':'file','hashes':{'MD5':'bb'}}"), STIX_LENIENT);
    assert_true(stix_sco_id(&checked->doc, checked->doc.nodes, &scratch, &one));
    assert_true(uuid_eq(&both, &one));
}

static void a_scratch_too_small_gives_no_id(void **state)
{
    struct checked *checked = *state;
    CLEANUP(buf_free) struct buf scratch = BUF(8);
    struct uuid uuid;

    checked_run_plain(checked, SLICE("{'type':'url','value':'http://example.com/long'}"),
                      STIX_LENIENT);
    assert_false(stix_sco_id(&checked->doc, checked->doc.nodes, &scratch, &uuid));
}

static int setup(void **state)
{
    static struct checked checked;

    checked_init(&checked);
    *state = &checked;
    return 0;
}

static int teardown(void **state)
{
    checked_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_follow_from_content),
        cmocka_unit_test(the_first_preferred_hash_counts),
        cmocka_unit_test(a_scratch_too_small_gives_no_id),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
