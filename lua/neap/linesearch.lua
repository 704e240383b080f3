--- A step length that satisfies the strong Wolfe conditions (Nocedal and
-- Wright 2006, algorithms 3.5 and 3.6).
--
-- A point is {t = how far, f = value, slope = derivative along the line};
-- others of its fields are the caller's.

-- Where the cubic through two points {t, f, slope} is least, between low
-- and high (equation 3.59).
local function cubic_minimum(a, b, low, high)
  local d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
  local square = d1 * d1 - a.slope * b.slope
  if not (square >= 0) then return (low + high) / 2 end
  local d2 = math.sqrt(square)
  if a.t > b.t then a, b = b, a end
  local t = b.t - (b.t - a.t) * (b.slope + d2 - d1) /
            (b.slope - a.slope + 2 * d2)
  return math.max(low, math.min(high, t))
end

local C1, MOST = 1e-4, 25

-- Two points between which a step of the Wolfe conditions lies, or a single
-- one that satisfies them (algorithm 3.5).
local function bracket(at, start, t, c2)
  local last, point = start, at(t)
  for k = 0, MOST - 1 do
    if point.f > start.f + C1 * point.t * start.slope or
       k > 1 and point.f >= last.f then return last, point, k end
    if math.abs(point.slope) <= -c2 * start.slope then return point, nil, k
    end
    if point.slope >= 0 then return last, point, k end
    local from = point.t
    local to = cubic_minimum(last, point, from + 0.01 * (from - last.t),
                             from * 10)
    last, point = point, at(to)
  end
  return start, point, MOST
end

-- Keeps the next trial away from the ends, if the one before was near one
-- too: the interval must shrink.
local function away_from_ends(t, low, high, near_before)
  local room = 0.1 * (high - low)
  if math.min(high - t, t - low) >= room then return t, false end
  if not near_before and t < high and t > low then return t, true end
  return math.abs(t - high) < math.abs(t - low) and high - room or
         low + room, false
end

-- Narrows the interval (algorithm 3.6); gives the better end.
local function zoom(at, start, a, b, k, enough, c2)
  local near = false
  local best, other = a, b
  if b.f < a.f then best, other = b, a end
  while k < MOST do
    local low, high = math.min(a.t, b.t), math.max(a.t, b.t)
    if enough(high - low) then break end
    local t = cubic_minimum(a, b, low, high)
    t, near = away_from_ends(t, low, high, near)
    local point = at(t)
    k = k + 1
    if point.f > start.f + C1 * t * start.slope or point.f >= best.f then
      other = point
      if other.f < best.f then best, other = other, best end
    elseif math.abs(point.slope) <= -c2 * start.slope then
      return point
    else
      if point.slope * (other.t - best.t) >= 0 then other = best end
      best = point
    end
    a, b = best, other
  end
  return best
end

--- A point along a line. `at(t)` computes one, `start` is that of t = 0
-- (its slope is negative), t the first trial; `enough(width)` says whether
-- an interval is too small to go on, c2 (0.9) how much of the slope may be
-- left: less for conjugate gradients.
return function(at, start, t, enough, c2)
  c2 = c2 or 0.9
  local a, b, k = bracket(at, start, t, c2)
  return b and zoom(at, start, a, b, k, enough, c2) or a
end
