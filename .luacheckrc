std = "lua54"
max_line_length = 79
-- specs let go of values to see what the collector does
files["spec"] = {std = "lua54+busted", ignore = {"311", "331"}}
files["spec/bench"] = {std = "lua54"}
-- "not (a <= b)" is also true of NaN, which is what is meant
ignore = {"212/self", "581"}
