# The agent and the two pinned libraries, frozen: they cost flash, and next to no RAM.
include("manifest_base.py")
freeze("../firmware", ("boot.py", "main.py"), opt=3)
package("flyve", base_path="../firmware", opt=3)
package("flyve", base_path="../build/frozen", opt=3)  # the set-up page, as a module
# Their asserts are checks of the protocol, so they stay in.
package("umqtt", base_path="../build/libraries", opt=0)
package("urequests", base_path="../build/libraries", opt=0)
