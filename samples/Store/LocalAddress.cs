using System.Net;
using System.Net.Sockets;

namespace Store;

/// <summary>The default address of the store: loopback, port 5080, or another free port if 5080 is taken.</summary>
internal static class LocalAddress
{
    private const int UsualPort = 5080;

    public static void UseLocalAddress(this WebApplicationBuilder builder)
    {
        string[] settings = ["urls", "http_ports", "https_ports", "Kestrel:Endpoints"];
        if (settings.Any(name => builder.Configuration.GetSection(name).Exists())) return;

        builder.WebHost.UseUrls($"http://127.0.0.1:{(IsFree(UsualPort) ? UsualPort : 0)}");
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
