/* A module of Redis and Valkey: FT.SEARCH in a cluster of one node finds documents of every slot.
 *
 * RediSearch outside of Redis Enterprise expects a coordinator. Without one, the server looks up
 * each document in the slot of the command's first argument, the name of the index, and finds none.
 * So this puts a command without keys in front, which calls FT.SEARCH and passes its reply on.
 * The API is declared here, since no package brings its header along. */
#include <stddef.h>
#include <strings.h>

typedef struct RedisModuleCtx Ctx;
typedef struct RedisModuleString String;
typedef struct RedisModuleCallReply Reply;
typedef struct RedisModuleCommandFilterCtx Filter;

static const char *(*get_text)(const String *, size_t *);
static String *(*create_text)(Ctx *, const char *, size_t);
static const String *(*get_argument)(Filter *, int);
static int (*insert_argument)(Filter *, int, String *);
static Reply *(*call)(Ctx *, const char *, const char *, ...);
static int (*pass_on)(Ctx *, Reply *);
static void (*release)(Reply *);

static void put_in_front(Filter *filter) {
  if (!strcasecmp(get_text(get_argument(filter, 0), NULL), "FT.SEARCH"))
    insert_argument(filter, 0, create_text(NULL, "any_slot", 8));
}

static int any_slot(Ctx *ctx, String **argv, int argc) {
  Reply *reply = call(ctx, get_text(argv[1], NULL), "0Ev", argv + 2, (size_t)argc - 2);
  pass_on(ctx, reply);
  release(reply);
  return 0;
}

int RedisModule_OnLoad(Ctx *ctx, String **argv, int argc) {
  int (*get_api)(const char *, void *) = *(void **)ctx;
  void (*set_attributes)(Ctx *, const char *, int, int);
  int (*create_command)(Ctx *, const char *, void *, const char *, int, int, int);
  void *(*register_filter)(Ctx *, void *, int);
  (void)argv, (void)argc;
  get_api("RedisModule_StringPtrLen", &get_text);
  get_api("RedisModule_CreateString", &create_text);
  get_api("RedisModule_CommandFilterArgGet", &get_argument);
  get_api("RedisModule_CommandFilterArgInsert", &insert_argument);
  get_api("RedisModule_Call", &call);
  get_api("RedisModule_ReplyWithCallReply", &pass_on);
  get_api("RedisModule_FreeCallReply", &release);
  get_api("RedisModule_SetModuleAttribs", &set_attributes);
  get_api("RedisModule_CreateCommand", &create_command);
  get_api("RedisModule_RegisterCommandFilter", &register_filter);
  set_attributes(ctx, "any_slot", 1, 1);
  create_command(ctx, "any_slot", any_slot, "readonly", 0, 0, 0);
  register_filter(ctx, put_in_front, 1 /* not what any_slot calls */);
  return 0;
}
