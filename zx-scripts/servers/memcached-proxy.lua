-- SPDX-License-Identifier: MIT
-- memcached as a proxy, as small as it gets: one backend, and every storage command goes to it. So every request passes
-- through proxy_process_command(), the function that the fix changes.

function mcp_config_pools(old)
    return mcp.pool({ mcp.backend("store", "127.0.0.1", "11311") })
end

function mcp_config_routes(pool)
    mcp.attach(mcp.CMD_ANY_STORAGE, function(request) return pool(request) end)
end
