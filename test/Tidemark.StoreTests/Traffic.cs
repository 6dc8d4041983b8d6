using System.Threading.Channels;

namespace Tidemark;

/// <summary>Four concurrent customers who request pages continuously. Every fifth request is a write.</summary>
internal sealed class Traffic : IAsyncDisposable
{
    private static readonly string[] Paths = ["/", "/wishlist", "/?category=Garden", "/messages"];

    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly Channel<int> _pages = Channel.CreateUnbounded<int>();
    private readonly IReadOnlyList<Customer> _customers;
    private readonly Task _work;

    private Traffic(IReadOnlyList<Customer> customers)
    {
        _customers = customers;
        _work = Task.WhenAll(customers.Select(customer => Task.Run(() => BrowseAsync(customer))));
    }

    /// <summary>Pages that were invalid, and requests that failed.</summary>
    public IEnumerable<string> Faults => _customers.SelectMany(customer => customer.Faults);

    /// <summary>Pages that did not show the preceding write.</summary>
    public IEnumerable<string> Stale => _customers.SelectMany(customer => customer.Stale);

    public static async Task<Traffic> StartAsync(OpenStore store) =>
        new(await Task.WhenAll(Enumerable.Range(1, 4).Select(user => Customer.ComeAsync(store, user))));

    /// <summary>Waits for this many more pages.</summary>
    public async Task AtLeastAsync(int more)
    {
        while (_pages.Reader.TryRead(out _)) { }
        for (var i = 0; i < more; i++) await _pages.Reader.ReadAsync(_stop.Token);
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _work;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var customer in _customers) customer.Dispose();
        _stop.Dispose();
    }

    private async Task BrowseAsync(Customer customer)
    {
        for (var i = 0; !_stop.IsCancellationRequested; i++)
        {
            try
            {
                if (i % 5 == 0) await customer.WriteAndLookAsync();
                else if ((await customer.Visitor.GetAsync(Paths[i % Paths.Length])).FindFault() is { } fault) customer.Faults.Add(fault);
            }
            catch (Exception e)
            {
                customer.Faults.Add(e.ToString());
            }

            _pages.Writer.TryWrite(i);
        }
    }
}
