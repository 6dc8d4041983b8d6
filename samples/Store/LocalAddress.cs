using System.Net;
using System.Net.Sockets;

namespace Store;

/// <summary>Where the store listens when nobody says otherwise: loopback, on port 5080 or, where that is taken, another free one.</summary>
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
