"""Whether everything is there before traffic moves: one check for each thing, each with what to do. Unknown is never yes.

`report`: the values. `seen`: what agents are asked and saw. `agents`: their answers as checks. These are pure.
`old_side`, `new_side`, `rights`: what is asked of the old cluster, of the new one, and of Ferry's own permissions; each comes
with the pure part that judges it. `origins`: where the proxies' connections come from. `certificates`: what one says of itself.
"""

from k8s.preflight.report import Check, Ok, Report

__all__ = ["Check", "Ok", "Report"]
