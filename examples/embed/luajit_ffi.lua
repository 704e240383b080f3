-- A model in LuaJIT, whose Lua is 5.1: through its FFI over the library for
-- inference, as most game engines could.
--
--   luajit luajit_ffi.lua libneap_infer.so hello.safetensors

local ffi = require "ffi"

ffi.cdef [[
typedef struct neap_rt neap_rt;
typedef struct neap_ctx neap_ctx;
typedef struct neap_model neap_model;
typedef struct neap_plan neap_plan;
typedef struct neap_view {
  void *data;
  int dtype;
  int ndim;
  int64_t shape[8], stride[8];
} neap_view;
neap_rt *neap_open (const void *config);
int neap_close (neap_rt *rt);
neap_ctx *neap_ctx_open (neap_rt *rt);
void neap_ctx_close (neap_ctx *C);
const char *neap_message (const neap_ctx *C);
neap_model *neap_model_open (neap_ctx *C, const char *path);
void neap_model_unref (neap_model *m);
neap_plan *neap_plan_new (neap_ctx *C, neap_model *m, int nin,
                          const neap_view *in, void *memory, size_t size);
void neap_plan_free (neap_plan *p);
int neap_plan_input (neap_plan *p, int i, neap_view *v);
int neap_plan_output (neap_plan *p, int i, neap_view *v);
int neap_plan_run (neap_plan *p);
]]

local neap = ffi.load(arg[1])
local rt = neap.neap_open(nil)
local C = neap.neap_ctx_open(rt)
local model = neap.neap_model_open(C, arg[2])
if model == nil then error(ffi.string(neap.neap_message(C))) end
local plan = neap.neap_plan_new(C, model, 0, nil, nil, 0)
if plan == nil then error(ffi.string(neap.neap_message(C))) end
neap.neap_model_unref(model)             -- the plan keeps it

local x, y = ffi.new "neap_view", ffi.new "neap_view"
neap.neap_plan_input(plan, 0, x)
neap.neap_plan_output(plan, 0, y)
local given = ffi.cast("float *", x.data)
local made = ffi.cast("float *", y.data)
for i = 0, tonumber(x.shape[1]) - 1 do given[i] = i / 64 end
neap.neap_plan_run(plan)
local text = {}
for i = 0, tonumber(y.shape[1]) - 1 do
  text[#text + 1] = ("%g "):format(made[i])
end
print(table.concat(text))

local runs, start = 100000, os.clock()
for _ = 1, runs do neap.neap_plan_run(plan) end
io.stderr:write(("%.2f us a run\n"):format((os.clock() - start) / runs * 1e6))
neap.neap_plan_free(plan)
neap.neap_ctx_close(C)
assert(neap.neap_close(rt) == 0)
