-- Samples of every operation, {function, inputs, options} for check.op, by
-- name; operations_spec.lua fails when an operation has none.
--
-- Options: grad = false (has none), second = false (no second derivatives),
-- ints = true (also for integers), float32 = false, views = false (results
-- depend on more than the elements), empty = false, expanded = false (a
-- layout that says nothing), rtol.

local samples = {}
for _, family in ipairs{"elementwise", "reduce", "shape", "products",
                        "make", "images",
                        "embedding", "noise", "losses", "linalg",
                        "recurrent", "attention"} do
  for name, list in pairs(require("spec.op.samples." .. family)) do
    samples[name] = list
  end
end
return samples
