-- A line as the cart's hash and the events have it: quantity|selected|born|line version|merchant|price|revision. The last
-- three are the tail, which it takes over from a product. No other script knows that; in Swift LineCodec.swift does.
-- These are for match, format and gsub: functions would have to be made anew for every change, and cost an add 4 %.

-- Quantity, selected, born, line version, tail.
local line_pattern, line_format = '^(%d+)|(%d)|(%d+)|(%d+)|(.*)$', '%d|%s|%s|%s|%s'
-- Quantity, born: all that an add needs.
local addition_pattern = '^(%d+)|%d|(%d+)|'
-- Selected, merchant: all that a filter needs.
local filter_pattern = '^%d+|(%d)|%d+|%d+|([^|]*)|'
-- Its beginning as the text of quantity, selected and born; line version, tail.
local halves_format = '%s|%s|%s'
-- Of a tail: merchant, price.
local tail_pattern = '^([^|]*)|(%d+)|'
-- Quantity, price.
local amounts_pattern = '^(%d+)|%d|%d+|%d+|[^|]*|(%d+)|'
-- Of 1,000 pieces or more.
local thousands_pattern = '^%d%d%d%d'
-- What gsub replaces in a line that is selected or not ('1', '0'), and by what; both are formats themselves.
local selection_format, reselection_format = '^(%%d+)|%d|(%%d+)|%%d+', '%%1|%s|%%2|%s'
