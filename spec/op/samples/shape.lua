-- Samples of operations on shapes, parts and positions.

local neap = require "neap"
local F = neap.nn.functional
local i = require "spec.op.samples.inputs"
local randn, distinct, int, mask = i.randn, i.distinct, i.int, i.mask
local same, with = i.same, i.with
local none_ints, ints = i.none_ints, i.ints

-- a list of results as several
local function unpacked(f)
  return function(...) return table.unpack(f(...)) end
end

local samples = {
  transpose = {{with("transpose", {dim0 = 1, dim1 = -1}), {randn(2, 3, 4)},
                ints}},
  t = {{same "t", {randn(2, 3)}, ints}, {same "t", {randn(3)}}},
  permute = {{function(x) return x:permute(3, 1, 2) end, {randn(2, 3, 4)},
              ints},
             {function(x) return x:permute{-1, 1} end, {randn(2, 3)}}},
  movedim = {{function(x) return x:movedim(1, -1) end, {randn(2, 3, 4)}, ints},
             {function(x) return x:movedim({1, 2}, {3, 1}) end,
              {randn(2, 3, 4)}}},
  reshape = {{function(x) return x:reshape(3, -1) end, {randn(2, 6)}, ints},
             {function(x) return x:transpose(1, 2):reshape{6} end,
              {randn(2, 3)}}},
  view = {{function(x) return x:contiguous():view(3, -1) end, {randn(2, 6)},
           ints}},
  unflatten = {{function(x) return x:unflatten(2, {2, -1}) end, {randn(3, 6)},
                ints}},
  flatten = {{with("flatten", {start_dim = 2}), {randn(2, 3, 2)}, ints},
             {same "flatten", {randn(2, 3)}}},
  squeeze = {{same "squeeze", {randn(1, 3, 1)}, ints},
             {with("squeeze", {dim = {1, 2}}), {randn(1, 3, 1)}}},
  unsqueeze = {{function(x) return x:unsqueeze(2) end, {randn(2, 3)}, ints},
               {function(x) return x:unsqueeze(-1) end, {randn(2, 3)}}},
  expand = {{function(x) return x:expand(4, 2, 3) end, {randn(2, 1)}, ints}},
  tile = {{function(x) return x:tile(2, 1, 3) end, {randn(2, 3)}, ints},
          {function(x) return x:tile(2) end, {randn(2, 3)}},
          {function(x) return x:tile(0, 2) end, {randn(2, 3)}}},
  repeat_interleave = {{function(x) return x:repeat_interleave(3, 2) end,
                        {randn(2, 3)}, ints},
                       {function(x) return x:repeat_interleave(2) end,
                        {randn(2, 3)}}},
  flip = {{function(x) return x:flip(1, 2) end, {randn(2, 3)}, ints},
          {function(x) return x:flip(-1) end, {randn(2, 3, 2)}},
          {same "flip", {randn(2, 3)}}},
  roll = {{function(x) return x:roll(2) end, {randn(2, 3)}, ints},
          {function(x) return x:roll({1, -1}, {1, 2}) end, {randn(2, 3)}}},
  narrow = {{function(x) return x:narrow(2, 2, 2) end, {randn(2, 4)}, ints},
            {function(x) return x:narrow(1, -2, 0) end, {randn(3, 2)}}},
  select = {{function(x) return x:select(2, -1) end, {randn(2, 4)}, ints},
            {function(x) return x:select(1, 1) end, {randn(2)}}},
  slice = {{function(x) return x[{2, {1, -1, 2}}] end, {randn(3, 5)}, ints},
           {function(x) return x[{neap.newaxis, {}, {2, 3}}] end,
            {randn(2, 4)}}},
  slice_scatter = {{function(x, z)
                      local y = x * 1
                      y[{{1, 2}, -1}] = z
                      return y
                    end, {randn(3, 2), randn(2)}}},
  split = {{unpacked(function(x) return x:split(2, 2) end), {randn(2, 5)},
            ints},
           {unpacked(function(x) return x:split({1, 3}, 1) end),
            {randn(4, 2)}}},
  chunk = {{unpacked(function(x) return x:chunk(2, 2) end), {randn(2, 5)},
            ints}},
  unbind = {{unpacked(function(x) return x:unbind(2) end), {randn(2, 3)},
             ints},
            {unpacked(function(x) return x:unbind() end), {randn(13, 2)}}},
  unfold = {{function(x) return x:unfold(2, 3, 2) end, {randn(2, 7)}, ints},
            {function(x) return x:unfold(1, 2, 1) end, {randn(4, 2)}}},
  diagonal = {{same "diagonal", {randn(3, 4)}, ints},
              {with("diagonal", {offset = -1, dim1 = 3, dim2 = 1}),
               {randn(3, 2, 4)}}},
  diagonal_scatter = {{same "diagonal_scatter", {randn(3, 4), randn(3)}, ints},
                      {with("diagonal_scatter", {offset = 1}),
                       {randn(3, 3), randn(2)}}},
  tril = {{same "tril", {randn(3, 4)}, ints},
          {with("tril", {diagonal = -1}), {randn(2, 3, 3)}}},
  triu = {{same "triu", {randn(3, 4)}, ints},
          {with("triu", {diagonal = 1}), {randn(2, 3, 3)}}},
  pad = {{function(x) return x:pad({1, 2}, {value = 3}) end, {randn(2, 3)},
          ints},
         {function(x) return x:pad{1, -1, 0, 2} end, {randn(2, 3)}},
         {function(x) return x:pad({2, 1, 1, 0}, {mode = "reflect"}) end,
          {randn(2, 3, 4)}, {empty = false}},
         {function(x) return x:pad({2, 1}, {mode = "replicate"}) end,
          {randn(2, 3)}},
         {function(x) return x:pad({1, 3}, {mode = "circular"}) end,
          {randn(2, 3)}}},
  cat = {{function(a, b) return neap.cat({a, b}, 2) end,
          {randn(2, 3), randn(2, 2)}, ints},
         {function(a, b) return neap.cat{a, b, a} end,
          {randn(1, 2), randn(0, 2)}}},
  stack = {{function(a, b) return neap.stack({a, b}, 2) end,
            {randn(2, 3), randn(2, 3)}, ints},
           {function(a, b) return neap.stack({a, b, a}, -1) end,
            {randn(2), randn(2)}}},
  index_select = {{function(x) return x:index_select(2, int{3, 1, -1}) end,
                   {randn(2, 3)}, ints}},
  index_add = {{function(x, z) return x:index_add(1, int{2, 2, 1}, z) end,
                {randn(2, 3), randn(3, 3)}, ints}},
  index_copy = {{function(x, z) return x:index_copy(1, int{2, 1}, z) end,
                 {randn(3, 2), randn(2, 2)}, ints}},
  index_fill = {{function(x) return x:index_fill(2, int{1, -1}, 5) end,
                 {randn(2, 3)}, ints}},
  gather = {{function(x) return x:gather(2, int{{3, 1}, {2, 2}}) end,
             {randn(2, 3)}, ints},
            {function(x) return x:gather(1, int{{2, 1, 1}}) end,
             {randn(2, 3)}}},
  scatter = {{function(x, z)
                return x:scatter(1, int{{1, 2, 1}}, z)
              end, {randn(2, 3), randn(2, 3)}, ints},
             {function(x) return x:scatter(2, int{{1}, {3}}, 4) end,
              {randn(2, 3)}, ints}},
  scatter_add = {{function(x, z)
                    return x:scatter_add(1, int{{1, 2, 1}}, z)
                  end, {randn(2, 3), randn(2, 3)}, ints}},
  index = {{function(x) return x[{int{1, 2, 1}, int{3, 1, 1}}] end,
            {randn(2, 3)}, ints},
           {function(x) return x[{int{{1}, {2}}, {}, int{1, 2}}] end,
            {randn(2, 3, 2)}},
           {function(x) return x[{{}, int{1, 2}, int{2, 1}}] end,
            {randn(2, 3, 2)}},
           {function(x) return x[{{}, mask{true, false, true}}] end,
            {randn(2, 3)}}},
  index_put = {{function(x, z)
                  local y = x * 1
                  y[{int{1, 2}, int{3, 1}}] = z
                  return y
                end, {randn(2, 3), randn(2)}},
               {function(x, z)
                  local y = x * 1
                  y[{{}, int{1, 3}}] = z
                  return y
                end, {randn(2, 3), randn(1)}},
               {function(x, z)
                  local y = x * 1
                  y[{{2, 3}, int{1, 3}, 1}] = z
                  return y
                end, {randn(3, 3, 2), randn(2)}}},
  masked_select = {{function(x) return x:masked_select(mask{true, false,
                                                            true}) end,
                    {randn(2, 3)}, ints},
                   {function(x) return x[x:gt(0)] end, {distinct(2, 3)}}},
  masked_scatter = {{function(x, z)
                       return x:masked_scatter(mask{true, false, true}, z)
                     end, {randn(2, 3), randn(5)}, ints}},
  nonzero = {{function(x) return x:gt(0):nonzero() end, {distinct(2, 3)},
              none_ints}},
}

for _, name in ipairs{"zeros_like", "ones_like"} do
  samples[name] = {{same(name), {randn(2, 3)}, none_ints}}
end
samples.full_like = {{function(x) return F.full_like(x, 3) end, {randn(2, 3)},
                      none_ints}}
samples.empty_like = {{function(x) return F.empty_like(x):fill_(1) end,
                       {randn(2, 3)}, none_ints}}

return samples
