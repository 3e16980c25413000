#compdef lenet lenetd
# Completion of lenet and lenetd in zsh. What there is to complete the programs say themselves, in their help.

local program=$words[1]
local -a help=(--help) found
[[ ${program:t} == lenet ]] && help=(help $words[2])

if [[ $help[1] == help && ($CURRENT == 2 || ($CURRENT == 3 && $words[2] == help)) ]]; then
	found=(${(f)"$($program help 2>/dev/null | sed -nE 's/^  ([a-z]+) +(.*)/\1:\2/p')"} 'help:what a command does')
	_describe command found
elif [[ $PREFIX == -* ]]; then
	found=(${(f)"$($program $help 2>/dev/null | sed -nE 's/^  (-[^ ]+)(  +| [^ ]+ +)(.*)/\1:\3/p')"})
	_describe -o option found
else
	_files
fi
